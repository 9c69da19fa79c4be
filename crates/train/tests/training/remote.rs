//! Training over two processes, one of which serves its device to the other.

use super::{
    cpu,
    laws::{advance, largest_difference, table},
    stand_ins::SAMPLES,
};
use cupel_train::{Optimizer, StageConfig, checks, device, remote::serve};
use std::{
    net::TcpListener,
    process::{Command, Stdio},
};

const PORT: &str = "CUPEL_TEST_PORT";

#[test]
#[ignore = "the serving process of the test below"]
fn server() {
    let Ok(port) = std::env::var(PORT) else { return };
    serve(&cpu(), TcpListener::bind(format!("127.0.0.1:{port}")).unwrap()).unwrap();
}

#[test]
fn two_machines_with_half_the_batch_are_one_with_the_whole_batch() {
    let _one = checks::exclusive();
    // the system finds a free port
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "remote::server", "--ignored"]).env(PORT, &port);
    let mut server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let request = format!("remote:ws://127.0.0.1:{port}");
    let found = (0..100).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        device::select(&request).ok()
    });
    let stage = StageConfig { optimizer: Optimizer::adam(), learning_rate: 0.01, ..StageConfig::default() };
    let other = found.expect("the server answers within ten seconds").device;
    let mut two = table(SAMPLES / 2, StageConfig { accumulation: 2, ..stage.clone() }).with_devices(&[other]);
    let mut one = table(SAMPLES, stage);
    advance(&mut two, 10).unwrap();
    advance(&mut one, 10).unwrap();
    let difference = largest_difference(&two.model(), &one.model());
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn a_machine_that_does_not_answer_is_an_error() {
    let error = device::select("remote:ws://127.0.0.1:9").unwrap_err().to_string();
    assert!(error.contains("remote:ws://127.0.0.1:9") && error.contains("does not work"), "{error}");
}
