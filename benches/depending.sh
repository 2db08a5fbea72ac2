#!/usr/bin/env bash
# What it costs to depend on a client: a program that makes one GET, built from nothing by
# `cargo build --release`, one client after another.
#
#   benches/depending.sh                          s3-client with TLS, object_store, hyper
#   benches/depending.sh s3-client object_store   these only; aws-sdk-s3 and reqwest are known, too
#   benches/depending.sh --json                   the same as JSON, one object a line
#   TURNS=3 benches/depending.sh                  medians of three builds each, taken in turns
#
# Crates are those that `cargo tree --edges normal` tells, the program left out. Sizes are those of
# the stripped binary. CPU is user and system time of all compilers: it moves less than the time on
# a machine where others are at work. Downloads are made beforehand. About 1 GB of disk is used, in
# a temporary folder under TMPDIR.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
json="" turns=${TURNS:-1} clients=()
for arg in "$@"; do
    case $arg in
    --json) json=1 ;;
    s3-client | object_store | hyper | reqwest | aws-sdk-s3) clients+=("$arg") ;;
    *)
        sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
    esac
done
((${#clients[@]})) || clients=(s3-client object_store hyper)

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# Neither another target nor flags of somebody's own.
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET CARGO_INCREMENTAL RUSTFLAGS RUSTC_WRAPPER

# The version that the workspace measures against.
version() {
    sed -n "s/^$1 = .*version = \"\([^\"]*\)\".*/\1/p; s/^$1 = \"\([^\"]*\)\".*/\1/p" \
        "$root/Cargo.toml"
}

# A package with one client and a program that makes one GET with it, signed where the client signs.
# The endpoint is an argument, so that nothing is settled when it is compiled. tokio's macros are
# left out: some clients need what they are made with anyway, and would look the better for it.
make() {
    local client=$1 tokio
    tokio="tokio = { version = \"$(version tokio)\", features = [\"rt\", \"net\"] }"
    mkdir -p "$dir/$client/src"
    {
        cat <<TOML
[package]
name = "hello"
version = "0.0.0"
edition = "2024"

[workspace]

[profile.release]
strip = true

[dependencies]
$tokio
TOML
        case $client in
        s3-client) echo "s3-client = { path = \"$root/s3-client\" }" ;;
        object_store)
            echo "object_store = { version = \"$(version object_store)\", features = [\"aws\"] }"
            ;;
        hyper)
            echo "bytes = \"$(version bytes)\""
            echo "http-body-util = \"$(version http-body-util)\""
            echo "hyper = { version = \"$(version hyper)\", features = [\"client\", \"http1\"] }"
            echo "hyper-util = { version = \"$(version hyper-util)\", features = [\"tokio\"] }"
            ;;
        reqwest) echo "reqwest = \"$(version reqwest)\"" ;;
        aws-sdk-s3) echo 'aws-sdk-s3 = "1"' ;;
        esac
    } >"$dir/$client/Cargo.toml"
    {
        cat <<'RUST'
fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(get())
}

async fn get() -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = std::env::args().nth(1).ok_or("an endpoint")?;
RUST
        case $client in
        s3-client)
            cat <<'RUST'
    let s3 = s3_client::S3Client::builder()
        .endpoint(&endpoint)
        .credentials(s3_client::Credentials::new("key", "secret"))
        .build()?;
    let body = s3.bucket("bench").get("object").await?.body.bytes(1 << 20).await?;
RUST
            ;;
        object_store)
            cat <<'RUST'
    use object_store::ObjectStoreExt;
    let s3 = object_store::aws::AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name("bench")
        .with_access_key_id("key")
        .with_secret_access_key("secret")
        .build()?;
    let body = s3.get(&"object".into()).await?.bytes().await?;
RUST
            ;;
        hyper)
            cat <<'RUST'
    use http_body_util::BodyExt;
    let stream = tokio::net::TcpStream::connect(&endpoint).await?;
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
    tokio::spawn(connection);
    let request = hyper::Request::get("/bench/object")
        .header("host", &endpoint)
        .body(http_body_util::Empty::<bytes::Bytes>::new())?;
    let body = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
RUST
            ;;
        reqwest)
            cat <<'RUST'
    let body = reqwest::get(format!("{endpoint}/bench/object")).await?.bytes().await?;
RUST
            ;;
        aws-sdk-s3)
            cat <<'RUST'
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "hello"))
        .force_path_style(true)
        .build();
    let s3 = aws_sdk_s3::Client::from_conf(config);
    let object = s3.get_object().bucket("bench").key("object").send().await?;
    let body = object.body.collect().await?.into_bytes();
RUST
            ;;
        esac
        cat <<'RUST'
    println!("{} bytes", body.len());
    Ok(())
}
RUST
    } >"$dir/$client/src/main.rs"
    # The versions that the workspace is tested with, as far as they are in it.
    cp "$root/Cargo.lock" "$dir/$client/"
    (cd "$dir/$client" && cargo fetch --quiet)
}

# Builds from nothing; prints seconds and seconds of CPU.
build() {
    local TIMEFORMAT='%R %U %S'
    rm -rf "$dir/$1/target"
    (
        cd "$dir/$1"
        { time cargo build --release --quiet 2>&3; } 3>&2 2>time || exit 1
        awk '{ printf "%.1f %.1f\n", $1, $2 + $3 }' time
    )
}

# The middle one of the numbers in a column of the file.
median() {
    awk -v column="$2" '{ print $column }' "$1" | sort -n |
        awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

load() {
    cut -d ' ' -f 1 /proc/loadavg
}

before=$(load)
for client in "${clients[@]}"; do
    make "$client"
done
for ((turn = 1; turn <= turns; turn++)); do
    for client in "${clients[@]}"; do
        echo "turn $turn of $turns: $client" >&2
        build "$client" >>"$dir/$client/times"
        stat -c %s "$dir/$client/target/release/hello" >"$dir/$client/size"
        rm -rf "$dir/$client/target"
    done
done

declare -A seconds cpu crates size
for client in "${clients[@]}"; do
    seconds[$client]=$(median "$dir/$client/times" 1)
    cpu[$client]=$(median "$dir/$client/times" 2)
    size[$client]=$(<"$dir/$client/size")
    # Each package once, the program itself not.
    crates[$client]=$(cd "$dir/$client" &&
        cargo tree --quiet --edges normal --prefix none --no-dedupe --format '{p}' |
        sed 's/ (.*//' | sort -u | grep -cv '^hello ')
done
if [[ -n $json ]]; then
    for client in "${clients[@]}"; do
        printf '{"client":"%s","seconds":%s,"cpu_seconds":%s,"crates":%s,"bytes":%s,"load":[%s,%s]}\n' \
            "$client" "${seconds[$client]}" "${cpu[$client]}" "${crates[$client]}" \
            "${size[$client]}" "$before" "$(load)"
    done
    exit
fi
printf '%-14s %8s %8s %7s %12s\n' client seconds 'CPU s' crates 'stripped MB'
for client in "${clients[@]}"; do
    printf '%-14s %8s %8s %7s %12s\n' "$client" "${seconds[$client]}" "${cpu[$client]}" \
        "${crates[$client]}" "$(awk -v n="${size[$client]}" 'BEGIN { printf "%.2f", n / 1e6 }')"
done
printf 'load average %s before, %s after; medians of %s\n' "$before" "$(load)" "$turns"

# A goal: its name, what was measured, the most it may be.
goal() {
    awk -v name="$1" -v is="$2" -v most="$3" 'BEGIN {
        printf "%-44s %8s  at most %-8s %s\n", name, is, most, is <= most ? "yes" : "no" }'
}
if [[ -n ${crates[s3-client]-} ]]; then
    echo
    if [[ -n ${crates[object_store]-} ]]; then
        share() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }
        goal "build time beside object_store" \
            "$(share "${seconds[s3-client]}" "${seconds[object_store]}")" 0.333
        goal "CPU of the build beside object_store" \
            "$(share "${cpu[s3-client]}" "${cpu[object_store]}")" 0.333
    fi
    goal "crates" "${crates[s3-client]}" 42
    goal "stripped bytes" "${size[s3-client]}" 3000000
fi
