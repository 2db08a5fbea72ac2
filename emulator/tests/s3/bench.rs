//! An emulator with a bucket, a connection to it, and requests signed by these tests.

use emulator::Emulator;

use crate::v2::Signer;
use crate::v4::SignerV4;
use crate::wire::{Reply, Wire};

pub(crate) struct Bench {
    pub(crate) emulator: Emulator,
    pub(crate) wire: Wire,
    pub(crate) signer: Signer,
}

/// An emulator with an empty bucket `/bkt`.
pub(crate) async fn bench() -> Bench {
    let emulator = Emulator::builder().part_min(10).start().await.unwrap();
    let mut wire = Wire::open(emulator.addr()).await;
    let signer = Signer::new(
        emulator.access_key(),
        emulator.secret_key(),
        emulator.addr(),
    );
    let made = wire.call(&signer.request("PUT", "/bkt/", &[], b"")).await;
    assert_eq!(made.status, 200, "{}", made.text());
    Bench {
        emulator,
        wire,
        signer,
    }
}

impl Bench {
    /// The user of the bench, who signs by Version 4.
    pub(crate) fn v4(&self) -> SignerV4 {
        let signer = &self.signer;
        SignerV4::new(&signer.access_key, &signer.secret, &signer.host)
    }

    pub(crate) async fn call(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let request = self.signer.request(method, target, headers, body);
        self.wire.call(&request).await
    }
}
