//! What clients can do, by the hash that they show.
//!
//! | call | gives |
//! |---|---|
//! | `{caps_get, Node, Ver}` | features or `none` |
//! | `{caps_put, Node, Ver, [Feature]}` | `done` |

use cloud_stores::caps::Caps;

use super::Done;
use super::args::{Args, binaries, done, or_none, unknown};

pub(super) async fn call(caps: &Caps, verb: &str, mut args: Args) -> Done {
    let (node, ver) = (args.text()?, args.text()?);
    match verb {
        "get" => {
            args.end()?;
            Ok(or_none(
                caps.get(&node, &ver)
                    .await?
                    .map(|features| binaries(features.iter().cloned())),
            ))
        }
        "put" => {
            let features = args.texts()?;
            args.end()?;
            caps.set(&node, &ver, &features).await?;
            Ok(done())
        }
        _ => unknown(),
    }
}
