//! boto 2.49 and boto3 against the emulator, as `clients.py` drives them.

use emulator::Emulator;

use crate::python::Script;

const SCRIPT: Script = Script {
    path: "sdb/clients.py",
    variable: "SDB_URL",
    packages: "boto==2.49.0 boto3 six",
};

fn run(client: &str, count: u32) {
    SCRIPT.run(&Emulator::start_blocking().unwrap(), client, count);
}

#[test]
fn boto_2_finds_nothing_wrong() {
    run("Boto", 9);
}

#[test]
fn boto_3_finds_nothing_wrong() {
    run("Boto3", 6);
}
