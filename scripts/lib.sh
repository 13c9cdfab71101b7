# shellcheck shell=sh disable=SC2034
# Shared by the scripts here: where things are, and how progress is told. Sourced, not run.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/almanac
target=${CARGO_TARGET_DIR:-$root/target}
started=$(date +%s)
# Debian keeps daemons where an ordinary user's PATH does not look.
PATH=$PATH:/usr/sbin:/sbin

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') dim=$(printf '\033[2m') red=$(printf '\033[31m') plain=$(printf '\033[0m')
else
    bold='' dim='' red='' plain=''
fi

step_number=0
# The script sets this to how many steps it has.
steps=${steps:-0}

elapsed() {
    echo $(($(date +%s) - started))
}

step() {
    step_number=$((step_number + 1))
    printf '\n%s[%d/%d] %s%s %s(%d s)%s\n' \
        "$bold" "$step_number" "$steps" "$*" "$plain" "$dim" "$(elapsed)" "$plain"
}

# What failed, then what to do about it.
die() {
    printf '\n%s%s: %s%s\n' "$red" "$(basename -- "$0")" "$1" "$plain" >&2
    shift
    for hint in "$@"; do
        printf '  %s\n' "$hint" >&2
    done
    exit 1
}

# A library in the state folder $1 that this version does not read (or that is damaged) is made anew: these
# folders are the scripts' own, and everything in them comes from the repository.
renew_library() {
    [ -d "$1/editions" ] || return 0
    "$target/release/almanac" --state "$1" library stats >/dev/null 2>&1 && return 0
    echo "the library in $1 cannot be read by this version; it is made anew"
    rm -rf -- "$1/editions" "$1/current"
}

# Fetches the runtime and the models by recipe and imports them into the state folder $1; what is there stays.
import_models() {
    mkdir -p "$1"
    "$target/release/almanac" --state "$1" models --cache "$cache" fetch
    "$target/release/almanac" --state "$1" models --cache "$cache" import
}

# The program of this tree on the script's own state folder, $state.
almanac() {
    "$target/release/almanac" --state "${state:?}" "$@"
}

# Two steps: that program, and in $state what it runs.
program_and_models() {
    step "Building"
    cargo build --release --bin almanac

    step "Runtime and models"
    renew_library "${state:?}"
    import_models "${state:?}"
}

# A Python of its own with what training needs; $venv is its folder.
training_packages() {
    venv=$target/train/venv
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet -r training/requirements.txt
}

# What the long tests need, in two steps: system packages and the models for the tests.
long_test_parts() {
    step "System packages"
    "$root/scripts/setup.sh"

    step "Models for the tests"
    "$root/scripts/test-models.sh"
}

# Installs llama.cpp for node into the folder $1.
llama_cpp() {
    llama_version=3.22.1
    case $(uname -m) in
    aarch64) llama_architecture=arm64 ;;
    *) llama_architecture=x64 ;;
    esac
    # The other optional parts are for graphics cards: 600 MB.
    [ -d "$1/node_modules/@node-llama-cpp/linux-$llama_architecture" ] ||
        npm install --prefix "$1" --no-audit --no-fund --ignore-scripts --omit=optional \
            "node-llama-cpp@$llama_version" "@node-llama-cpp/linux-$llama_architecture@$llama_version"
}
