//! An Amazon SimpleDB client.
