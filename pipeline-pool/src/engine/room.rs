//! Room to read into.

use bytes::BytesMut;

/// Makes room for so many bytes more. Where callers still hold some of what is in this buffer, the
/// other one is used meanwhile: it may be free by now, and neither has to be made anew.
pub(super) fn make_room(input: &mut BytesMut, spare: &mut BytesMut, size: usize) {
    if input.try_reclaim(size) {
        return;
    }
    let whole = input.len() + size;
    spare.clear();
    if !spare.try_reclaim(whole) {
        *spare = BytesMut::with_capacity(whole);
    }
    // The beginning of a reply.
    spare.extend_from_slice(input);
    std::mem::swap(input, spare);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_buffers_take_turns_while_replies_are_held() {
        let (mut input, mut spare) = (BytesMut::with_capacity(4096), BytesMut::new());
        let first = input.as_ptr();
        input.extend_from_slice(&[1; 4000]);
        let held = input.split_to(3990).freeze();
        make_room(&mut input, &mut spare, 4096);
        let second = input.as_ptr();
        assert_ne!(first, second);
        assert_eq!(
            (&input[..], input.capacity() >= 4106),
            (&[1; 10][..], true),
            "the beginning of a reply is there"
        );
        drop(held);
        input.extend_from_slice(&[2; 4000]);
        let held = input.split_to(4010).freeze();
        make_room(&mut input, &mut spare, 4000);
        assert_eq!(input.as_ptr(), first, "the first is free again");
        assert_eq!((input.len(), held.len()), (0, 4010));
        drop(held);
        // Nobody holds anything: it stays where it is.
        input.extend_from_slice(&[3; 4000]);
        let held = input.split().freeze();
        drop(held);
        make_room(&mut input, &mut spare, 4000);
        assert_eq!(input.as_ptr(), first);
    }
}
