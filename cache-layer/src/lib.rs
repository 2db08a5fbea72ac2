//! A cache on memcached, sharded by ketama.
