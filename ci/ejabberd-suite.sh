#!/usr/bin/env bash
# Runs ejabberd's own test suite on Debian's ejabberd, with its state in S3 and SimpleDB: the groups `mnesia`, with `cloud` in
# the place of `internal`, and `extauth`, with `ejabberd-cloud extauth` as the program. The stores are an emulator of its own.
#
#   ci/ejabberd-suite.sh SOURCES            SOURCES is a clone of https://github.com/processone/ejabberd
#   ci/ejabberd-suite.sh SOURCES extauth    one group
#
# The suite of that release is taken which is installed. It needs, beside what the tests need, erlang-common-test, erlang-dev and
# erlang-eunit (apt-get install). It listens on the suite's own ports on all addresses (5222, 5269, 5270, 5280, 7777 and others):
# where these are not free, `unshare --net` with its loopback up has its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
usage() {
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
}
(($# >= 1 && $# <= 2)) || usage
sources=$1
case ${2-all} in
all) groups=(mnesia extauth) ;;
mnesia | extauth) groups=("$2") ;;
*) usage ;;
esac
git -C "$sources" rev-parse --git-dir >/dev/null 2>&1 || { echo "$0: $sources is no clone of ejabberd" >&2; exit 2; }
command -v ct_run >/dev/null || { echo "$0: ct_run is missing: apt-get install erlang-common-test erlang-dev erlang-eunit" >&2; exit 1; }
installed=$(compgen -G '/usr/lib/*/ejabberd-*/ebin' | head -n 1)
[[ -n $installed ]] || { echo "$0: ejabberd is missing: apt-get install --no-install-recommends ejabberd" >&2; exit 1; }
installed=${installed%/ebin}
release=${installed##*/ejabberd-}
release=${release%-*}
commit=$(git -C "$sources" rev-parse --verify --quiet "refs/tags/$release^{commit}" ||
    git -C "$sources" log --format=%H -n 1 --fixed-strings --grep "Set version to $release")
[[ -n $commit ]] || { echo "$0: $sources has no release $release" >&2; exit 1; }

cargo build --quiet --package ejabberd-cloud --package emulator --bins
target=$(realpath "${CARGO_TARGET_DIR:-target}")
work=$target/ejabberd-suite
rm -rf "$work"
mkdir -p "$work"/{suite,lib,shims,logs}
git -C "$sources" archive "$commit" test include | tar --extract --directory "$work"

# Debian calls some applications otherwise than the includes of the suite do.
root=$(erl -noinput -noshell -eval 'io:put_chars(code:lib_dir()), halt(0).')
ln -s "$root"/p1_xml-* "$work/lib/fast_xml-1"
ln -s "$root"/p1_xmpp-* "$work/lib/xmpp-1"
export ERL_LIBS=${installed%/*}:$work/lib
ejabberd-cloud/erlang/build.sh "$work/shims"
erlc -I "$installed/include" -I "$work/include" -I "$work/lib/xmpp-1/include" -I "$work/lib/fast_xml-1/include" \
    -I "$work/test" -o "$work/suite" "$work"/test/*.erl >"$work/erlc.log" 2>&1 || { cat "$work/erlc.log" >&2; exit 1; }
cp -R "$work/test/ejabberd_SUITE_data" "$work/suite/"

emulator=
exec 3< <(exec "$target/debug/emulator" --listen 127.0.0.1:0 --user AKIDSUITE:suite-secret)
emulator=$!
trap 'kill "$emulator"' EXIT
read -r url <&3
export AWS_ACCESS_KEY_ID=AKIDSUITE AWS_SECRET_ACCESS_KEY=suite-secret EJABBERD_CLOUD_BUCKET=suite EJABBERD_CLOUD_CREATE_BUCKET=true \
    EJABBERD_CLOUD_S3_ENDPOINT=$url EJABBERD_CLOUD_SDB_ENDPOINT=$url

# Announcements and archives stay in Mnesia: there is no backend of ours for them.
data=$work/suite/ejabberd_SUITE_data
sed -i -e 's/: internal$/: cloud/' -e '/mod_announce:/,/db_type/s/cloud/internal/' -e '/mod_mam:/,/db_type/s/cloud/internal/' \
    -e "s|^      mod_pubsub:|      mod_cloud:\n        program: \"$target/debug/ejabberd-cloud\"\n      mod_pubsub:\n        db_type: cloud|" \
    "$data/ejabberd.mnesia.yml"
sed -i "s|extauth_program: .*|extauth_program: \"$target/debug/ejabberd-cloud extauth\"|" "$data/ejabberd.extauth.yml"
# The suite's own program knows everybody. Ours has to be told of the one who logs in there, as ejabberd would tell it.
register() {
    python3 - <<'PYTHON'
import struct, sys

user, password = r"test_single!#$%^*()`~+-;_=[]{}|" + "\\", r"""password!@#$%^&*()'"`~<>+-/;:_=[]{}|""" + "\\"
request = f"tryregister:{user}:extauth.localhost:{password}".encode()
sys.stdout.buffer.write(struct.pack(">H", len(request)) + request)
PYTHON
}
register | "$target/debug/ejabberd-cloud" extauth | cat >"$work/registered"
[[ $(od -An -tx1 "$work/registered" | tr -d ' ') == 00020001 ]] || { echo "$0: nobody could be registered" >&2; exit 1; }

failed=0
for group in "${groups[@]}"; do
    (cd "$work" && CT_BACKENDS=$group ct_run -noshell -dir suite -suite ejabberd_SUITE -group "$group" -logdir logs -pa shims suite \
        -no_auto_compile >"$work/$group.log" 2>&1) || failed=1
    printf '%-10s %s\n' "$group" "$(grep -o 'TEST COMPLETE.*' "$work/$group.log" || echo "did not end: see $work/$group.log")"
done
exit $failed
