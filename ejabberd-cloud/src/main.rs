//! The program between ejabberd and its state in S3 and SimpleDB.

fn main() {}
