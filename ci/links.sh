#!/usr/bin/env bash
# Proves that what the pages of this project point to is there: each relative link of a page (`*.md`), with its
# heading if it names one, and each path in code letters that begins with a folder of this project.
# Links between items of the code are rustdoc's to check, and those to other hosts are not followed.
#
#   ci/links.sh        checks all pages, after a self-test
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A page without its blocks of code.
prose() {
    awk '/^ *(```|~~~)/ { code = !code; next } !code' "$1"
}

# The names that the headings of a page have in links.
headings() {
    prose "$1" | sed -nE 's/^#{1,6} +//p' | sed -E 's/\[([^]]*)\]\([^)]*\)/\1/g' |
        tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'
}

# The targets of the links of a page that are files or headings.
targets() {
    # In the pages that rustdoc shows, a target without a dot and a slash is an item of the code.
    prose "$1" | sed -E 's/`[^`]*`/`/g' | { grep -oE '\]\([^() ]+\)' || true; } | sed -E 's/^\]\(//; s/\)$//' |
        { grep -vE '^[a-z]+:|::' || true; } | { grep -E '[./#]' || true; }
}

# The paths in code letters that begin with a folder below this one.
paths() {
    local root=$1 page=$2 path
    prose "$page" | { grep -oE '`[A-Za-z0-9_.-]+/[A-Za-z0-9_./-]*`' || true; } | tr -d '`' |
        while read -r path; do
            if [[ -d $root/${path%%/*} ]]; then echo "$path"; fi
        done
}

# Prints a line for each thing that a page below this folder points to and that is not there.
missing() {
    local root=$1 page target file heading
    while read -r page; do
        while read -r target; do
            file=${target%%#*} heading=""
            if [[ $target == *"#"* ]]; then heading=${target#*#}; fi
            if [[ -z $file ]]; then
                file=$root/$page
            elif [[ $file == /* ]]; then
                file=$root$file
            else
                file=$root/$(dirname "$page")/$file
            fi
            if [[ ! -e $file ]]; then
                echo "$page: the link to $target: there is no such file"
            elif [[ -n $heading && $file == *.md ]] && ! headings "$file" | grep -qxF -- "$heading"; then
                echo "$page: the link to $target: there is no such heading"
            fi
        done < <(targets "$root/$page")
        # What changed in the past was in places of that time.
        if [[ ${page##*/} == CHANGELOG.md ]]; then continue; fi
        while read -r target; do
            # What is built is in no checkout.
            if [[ $target == target/* || -e $root/$target ]]; then continue; fi
            echo "$page: \`$target\`: there is no such file"
        done < <(paths "$root" "$root/$page")
    done
}

self_test() {
    local dir found expected
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' RETURN
    mkdir -p "$dir/docs" "$dir/core/src"
    touch "$dir/core/src/here.rs"
    cat >"$dir/docs/page.md" <<'END'
# A page, with `code` in its [name](other.md)
See [here](../core/src/here.rs), [there](../core/src/gone.rs), [that](#a-page-with-code-in-its-name),
[this](#no-such), [the other](other.md#its-end), [its middle](other.md#middle) and [AWS](https://aws.amazon.com/s3/).
The code is in `core/src/here.rs` and `core/src/gone.rs`; `other/src/gone.rs` is no folder of this project, and
`[x](gone.md)` is no link. An item is [`Bucket`](crate::Bucket), or [`get`](Bucket).
```sh
cat core/src/gone.rs [x](gone.md)
```
END
    printf '# Other\n\n## Its end\n' >"$dir/docs/other.md"
    printf 'Once there was `core/src/gone.rs`, and [a page](docs/gone.md).\n' >"$dir/CHANGELOG.md"
    found=$(printf '%s\n' docs/page.md docs/other.md CHANGELOG.md | missing "$dir")
    expected='docs/page.md: the link to ../core/src/gone.rs: there is no such file
docs/page.md: the link to #no-such: there is no such heading
docs/page.md: the link to other.md#middle: there is no such heading
docs/page.md: `core/src/gone.rs`: there is no such file
CHANGELOG.md: the link to docs/gone.md: there is no such file'
    if ! diff <(echo "$found") <(echo "$expected"); then
        echo "links: the self-test failed: the check does not find what it must" >&2
        exit 1
    fi
}

self_test
pages=$(git ls-files '*.md')
found=$(missing . <<<"$pages")
if [[ -n $found ]]; then
    echo "$found" >&2
    echo "links: what a page points to has to be there" >&2
    exit 1
fi
echo "links: $(wc -l <<<"$pages") pages, and all that they point to is there"
