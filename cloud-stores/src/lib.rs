//! The state of an XMPP server in S3 and SimpleDB.
