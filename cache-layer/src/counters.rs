//! Counters that tasks add to without a lock, and the figures that are read of them.

/// Declares counters, and the public figures beside them. Each counter is an `AtomicU64`, and a figure of the same name;
/// the figures behind `and` are not counted here, and are given to `read`.
///
/// ```text
/// counters! {
///     pub(crate) struct Doors;
///     /// What is known of the doors.
///     pub struct DoorStats {
///         /// How often one was opened.
///         opened,
///     } and {
///         /// How many there are.
///         pub doors: usize,
///     }
/// }
/// ```
///
/// writes `struct Doors { opened: AtomicU64 }`, `pub struct DoorStats { pub opened: u64, pub doors: usize }`, and
/// `Doors::read(&self, doors: usize) -> DoorStats`.
macro_rules! counters {
    (
        pub(crate) struct $counters:ident;
        $(#[$of_stats:meta])*
        pub struct $stats:ident {
            $($(#[$of_counter:meta])* $counter:ident,)*
        } and {
            $($(#[$of_other:meta])* $vis:vis $other:ident: $type:ty,)*
        }
    ) => {
        #[derive(Debug, Default)]
        pub(crate) struct $counters {
            $(pub(crate) $counter: std::sync::atomic::AtomicU64,)*
        }

        $(#[$of_stats])*
        pub struct $stats {
            $($(#[$of_counter])* pub $counter: u64,)*
            $($(#[$of_other])* $vis $other: $type,)*
        }

        impl $counters {
            /// Reads the figures as they are.
            pub(crate) fn read(&self, $($other: $type),*) -> $stats {
                use std::sync::atomic::Ordering::Relaxed;
                $stats {
                    $($counter: self.$counter.load(Relaxed),)*
                    $($other,)*
                }
            }
        }
    };
}

pub(crate) use counters;
