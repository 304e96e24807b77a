# Sourced by the scripts that install what is missing; they name themselves in $me first.

say() { printf '%s: %s\n' "$me" "$*" >&2; }
die() { say "$1"; say "  $2"; exit 3; }

apt_install() { # apt_install PACKAGE PROGRAM
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    die "$2 is missing, and only root can install it." "Run: sudo apt-get install $1"
  fi
  say "installing $1"
  { apt-get install -y -qq "$1" || { apt-get update -qq && apt-get install -y -qq "$1"; }; } >/dev/null 2>&1 ||
    die "could not install $1." "Try: apt-get update && apt-get install $1"
}
