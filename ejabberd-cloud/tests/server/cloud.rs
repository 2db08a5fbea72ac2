//! Where the stores are: in an emulator of the test's own, or S3 on a real server and SimpleDB in the emulator.
//!
//! The real server is that of `S3_TEST_ENDPOINT`, with the keys `S3_TEST_ACCESS_KEY` and `S3_TEST_SECRET_KEY`, as in the tests
//! of `s3-client`. Each test has a bucket of its own there, and removes it, but for the one that is called after a domain. How
//! the program asks such a server it reads from its own variables, as `EJABBERD_CLOUD_SIGNATURE` and
//! `EJABBERD_CLOUD_UNQUOTED_IF_MATCH`.

use std::ops::Deref;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use emulator::Emulator;
use s3_client::{Bucket, Credentials, S3Client};

/// The stores of one test.
pub(crate) struct Cloud {
    emulator: Emulator,
    /// The address of S3.
    s3: String,
    /// The bucket; on a real server it has to be removed.
    pub(crate) bucket: String,
    /// Whether S3 is on a real server, where nothing fails that is to.
    pub(crate) is_real: bool,
    access_key: String,
    secret_key: String,
}

impl Cloud {
    pub(crate) fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let said = |name: &str| std::env::var(format!("S3_TEST_{name}")).ok();
        let endpoint = said("ENDPOINT");
        let access_key = said("ACCESS_KEY").unwrap_or_else(|| "id".to_owned());
        let secret_key = said("SECRET_KEY").unwrap_or_else(|| "secret".to_owned());
        let emulator = Emulator::builder()
            .user(&*access_key, &*secret_key)
            .start_blocking()
            .expect("an emulator");
        let bucket = match endpoint {
            Some(_) => {
                let next = NEXT.fetch_add(1, Ordering::Relaxed);
                format!("chat-{}-{next}", std::process::id())
            }
            None => "chat".to_owned(),
        };
        Self {
            s3: endpoint.clone().unwrap_or_else(|| emulator.url()),
            is_real: endpoint.is_some(),
            emulator,
            bucket,
            access_key,
            secret_key,
        }
    }

    /// Tells a program where they are.
    pub(crate) fn tell<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AWS_ACCESS_KEY_ID", &self.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret_key)
            .env("EJABBERD_CLOUD_S3_ENDPOINT", &self.s3)
            .env("EJABBERD_CLOUD_SDB_ENDPOINT", self.emulator.url())
    }

    pub(crate) fn bucket(&self) -> Bucket {
        let keys = Credentials::new(&*self.access_key, &*self.secret_key);
        let s3 = S3Client::builder().endpoint(&self.s3).credentials(keys);
        s3.build().expect("a client").bucket(self.bucket.as_str())
    }
}

/// What the test does to the stores, or counts, it does to the emulator.
impl Deref for Cloud {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.emulator
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if !self.is_real {
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let bucket = self.bucket();
            let mut objects = bucket.list().objects();
            while let Ok(Some(object)) = objects.try_next().await {
                let _ = bucket.delete(object.key).await;
            }
            // The node may still write; what is left then is for whoever has the server.
            let _ = bucket.delete_bucket().await;
        });
    }
}
