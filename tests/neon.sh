#!/usr/bin/env bash
# The kernels for 64-bit ARM on another machine: lints for that target, and the kernel suite on the real instructions under qemu.
#
# Usage: tests/neon.sh
# What is not installed is named and left out, nothing is downloaded: every `cargo test` tries the same kernels over
# instructions written in plain Rust. To have all of it:
#   rustup target add aarch64-unknown-linux-musl     and qemu-aarch64 (Debian: qemu-user) in the PATH
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

installed=$(rustc --print sysroot)/lib/rustlib
target=""
for candidate in aarch64-unknown-linux-musl aarch64-unknown-linux-gnu; do
    [ -z "$target" ] && [ -d "$installed/$candidate/lib" ] && target=$candidate
done
if [ -z "$target" ]; then
    printf 'left out: this toolchain has no standard library for 64-bit ARM (rustup target add aarch64-unknown-linux-musl)\n'
    exit
fi
cargo clippy --locked --package vectra-index --all-targets --target "$target" -- -D warnings

qemu=$(command -v qemu-aarch64 || command -v qemu-aarch64-static || true)
# Only this target brings its own linker and C library.
if [ "$target" != aarch64-unknown-linux-musl ] || [ -z "$qemu" ]; then
    printf 'the kernel suite is left out: it needs the target aarch64-unknown-linux-musl and qemu-aarch64\n'
    exit
fi
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUSTFLAGS="-C linker-flavor=ld.lld -C link-self-contained=yes"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER=$qemu
cargo test --locked --package vectra-index --lib --target "$target" simd::
