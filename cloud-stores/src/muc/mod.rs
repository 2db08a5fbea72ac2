//! Rooms for many ([XEP-0045](https://xmpp.org/extensions/xep-0045.html)): what they are set to, and who may use which
//! nickname: [`Stores::rooms`](crate::Stores::rooms) and [`Stores::nicks`](crate::Stores::nicks).

mod nicks;
mod rooms;

pub use self::nicks::{MAX_NICK, Nicks};
pub use self::rooms::{MAX_ROOM_OPTIONS, Room, Rooms};
