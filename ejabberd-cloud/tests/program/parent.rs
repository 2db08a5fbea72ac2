//! What a parent does: it starts the program, sends calls, and takes answers.

use std::io::{Read, Write};
use std::process::{Child, Command, Output, Stdio};

use emulator::Emulator;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ejabberd-cloud");

pub(crate) fn program(arguments: &[&str], secret: &str) -> Command {
    let mut program = Command::new(PROGRAM);
    program
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", "id")
        .env("AWS_SECRET_ACCESS_KEY", secret);
    program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    program
}

pub(crate) fn start(emulator: &Emulator, front: &str, secret: &str) -> Child {
    start_with(emulator, front, secret, &[])
}

/// The same with more arguments.
pub(crate) fn start_with(emulator: &Emulator, front: &str, secret: &str, more: &[&str]) -> Child {
    let url = emulator.url();
    let arguments = [
        front,
        "--bucket",
        "chat",
        "--create-bucket",
        "--shards",
        "1",
        "--s3-endpoint",
        &url,
    ];
    let arguments = [
        &arguments[..],
        &["--sdb-endpoint", &url, "--deadline-ms", "3000"],
        more,
    ]
    .concat();
    program(&arguments, secret).spawn().expect("the program")
}

pub(crate) fn emulator() -> Emulator {
    Emulator::builder()
        .user("id", "hunter2hunter2")
        .start_blocking()
        .expect("an emulator")
}

/// The frame of `{Operation, Binary…}`.
pub(crate) fn call(id: u64, operation: &str, binaries: &[&str]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend([
        131,
        104,
        1 + binaries.len() as u8,
        119,
        operation.len() as u8,
    ]);
    body.extend(operation.as_bytes());
    for binary in binaries {
        body.push(109);
        body.extend((binary.len() as u32).to_be_bytes());
        body.extend(binary.as_bytes());
    }
    [&(body.len() as u32).to_be_bytes()[..], &body].concat()
}

/// The id and the term of the next answer.
pub(crate) fn answer(child: &mut Child) -> (u64, Vec<u8>) {
    let out = child.stdout.as_mut().expect("a pipe");
    let mut length = [0; 4];
    out.read_exact(&mut length).expect("an answer");
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    out.read_exact(&mut body).expect("a whole answer");
    let term = body.split_off(8);
    (u64::from_be_bytes(body.try_into().expect("8 bytes")), term)
}

pub(crate) fn send(child: &mut Child, bytes: &[u8]) {
    child
        .stdin
        .as_mut()
        .expect("a pipe")
        .write_all(bytes)
        .expect("a program that reads");
}

/// Closes standard input and waits for the end.
pub(crate) fn end(mut child: Child) -> Output {
    drop(child.stdin.take());
    child.wait_with_output().expect("its end")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
