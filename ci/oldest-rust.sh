#!/usr/bin/env bash
# Builds the libraries with the oldest Rust that is promised, `rust-version` in Cargo.toml. Where that is the Rust at hand, the
# other steps of CI have done it; else rustup fetches it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
if [[ -z $oldest ]]; then
    echo "ci/oldest-rust.sh: Cargo.toml has no rust-version" >&2
    exit 1
fi
if [[ $(rustc --version) == "rustc $oldest."* ]]; then
    echo "Rust $oldest is what everything is built with here"
    exit
fi
if ! command -v rustup >/dev/null; then
    echo "ci/oldest-rust.sh: here is $(rustc --version), and no rustup to fetch $oldest" >&2
    exit 1
fi
rustup toolchain install "$oldest" --profile minimal --no-self-update
packages=()
while read -r crate; do
    packages+=(--package "$crate")
done < <(ci/package.sh --names)
# A folder of its own: another compiler would build everything anew, and the next step again.
CARGO_TARGET_DIR=target/oldest-rust rustup run "$oldest" cargo check --locked "${packages[@]}"
