# Sourced by the scripts beside it: messages, and Debian packages where they are missing.

say() { printf 'gen2dft: %s\n' "$*"; }

# Stop with what is wrong and, in further arguments, what to do.
stop() {
    printf 'gen2dft: %s\n' "$1" >&2
    shift
    (($# == 0)) || printf '         %s\n' "$@" >&2
    exit 1
}

# Install Debian packages as root; otherwise say which are missing and stop. First argument: what needs them.
need_packages() {
    local purpose=$1
    shift
    (($# > 0)) || return 0
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        stop "$purpose needs system packages that are missing: $*" \
            "Debian, Ubuntu:  sudo apt-get install $*" \
            "Elsewhere install their like; then run the same command again."
    fi
    say "installing system packages for $purpose: $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Run a step with its output in $LOG; show the end of it if the step fails.
step() {
    local title=$1 start=$SECONDS
    shift
    say "$title ..."
    printf '\n== %s\n' "$*" >>"$LOG"
    if ! "$@" >>"$LOG" 2>&1; then
        tail -n 25 "$LOG" >&2
        stop "this step failed: $title" "The whole log: $LOG" \
            "No network? pip reads PIP_INDEX_URL, PIP_PROXY and pip.conf; further options: make PIP_ARGS='...'." \
            "Then run the same command again: it goes on where it stopped."
    fi
    say "  done in $((SECONDS - start)) s"
}
