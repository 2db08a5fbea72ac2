#!/usr/bin/env bash
# Compiles the shims into FOLDER, for the ejabberd that is installed on this machine, and other modules with them.
#
#   erlang/build.sh FOLDER [MODULE.erl...]
#
# ejabberd's own files are looked for where Debian's package has them, or where ERL_LIBS says.
set -euo pipefail
if (($# < 1)); then
    echo "usage: $0 FOLDER [MODULE.erl...]" >&2
    exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$1
shift

if ! command -v erlc >/dev/null; then
    echo "$0: erlc is missing: apt-get install erlang-base, which ejabberd brings as well" >&2
    exit 1
fi
# Debian keeps ejabberd beside the libraries of its architecture, which is no place where Erlang looks.
if [[ -z ${ERL_LIBS-} ]]; then
    beam=$(ls -1 /usr/lib/*/ejabberd-*/ebin/ejabberd.beam 2>/dev/null | head -n 1 || true)
    if [[ -n $beam ]]; then
        ERL_LIBS=$(cd "$(dirname "$beam")/../.." && pwd)
    fi
fi
export ERL_LIBS=${ERL_LIBS-}

# Where an application is, by one of its names: what upstream calls xmpp is p1_xmpp in Debian.
folder() {
    local name
    for name in "$@"; do
        erl -noinput -noshell -eval "
            case code:lib_dir($name) of
                {error, _} -> halt(1);
                Folder -> io:put_chars(Folder), halt(0)
            end." && return
    done
    echo "$0: the application $1 is missing: apt-get install --no-install-recommends ejabberd" >&2
    exit 1
}
ejabberd=$(folder ejabberd)
xmpp=$(folder xmpp p1_xmpp)
xml=$(folder fast_xml p1_xml)

mkdir -p "$out"
exec erlc -Werror -I "$ejabberd/include" -I "$xmpp/include" -I "$xml/include" -pa "$ejabberd/ebin" -o "$out" "$here"/src/*.erl "$@"
