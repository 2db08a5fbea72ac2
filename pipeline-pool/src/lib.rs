//! A bounded pool of pipelined connections: one engine for any protocol of ordered replies, HTTP/1.1 on it.
