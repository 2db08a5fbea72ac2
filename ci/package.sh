#!/usr/bin/env bash
# Makes the package of each library as it would be uploaded, and looks at what is in it. Nothing is uploaded.
#
#   ci/package.sh             makes the packages, without building them
#   ci/package.sh --verify    builds each from its package, too
#   ci/package.sh --names     prints the libraries, in the order in which they are published
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

crates=(aws-sigv2 pipeline-pool cache-layer aws-core s3-client simpledb-client ec2-client s3-object-store)
build=(--no-verify)
case ${1-} in
    "") ;;
    --verify) build=() ;;
    --names)
        printf '%s\n' "${crates[@]}"
        exit
        ;;
    *)
        sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
esac

packages=()
for crate in "${crates[@]}"; do
    packages+=(--package "$crate")
done
# A change that is not committed is packaged, too: it is what is looked at.
cargo package --quiet --allow-dirty --locked "${build[@]}" "${packages[@]}"

target=${CARGO_TARGET_DIR:-target}
failed=0
problem() {
    echo "$1: $2" >&2
    failed=1
}
for crate in "${crates[@]}"; do
    file=$(ls "$target/package/$crate"-[0-9]*.crate | sort | tail -n 1)
    name=$(basename "$file" .crate)
    list=$(tar --list --gzip --file "$file")
    for needed in README.md LICENSE-MIT LICENSE-APACHE Cargo.toml src/lib.rs; do
        grep -qxF "$name/$needed" <<<"$list" || problem "$crate" "$needed is not in the package"
    done
    manifest=$(tar --extract --gzip --to-stdout --file "$file" "$name/Cargo.toml")
    if grep -qE '^\[(dev-)?dependencies\.emulator\]' <<<"$manifest"; then
        problem "$crate" "the package depends on the emulator, which is not published"
    fi
    if grep -qE '^path = "\.\.' <<<"$manifest"; then
        problem "$crate" "the package has a path that leads out of it"
    fi
    for field in description license readme keywords categories rust-version; do
        grep -qE "^$field = " <<<"$manifest" || problem "$crate" "there is no $field in the manifest"
    done
done
exit "$failed"
