//! The targets under libFuzzer: `vectra-libfuzzer --target=NAME` and libFuzzer's own flags; `fuzz/run.sh` builds and runs it.

#![no_main]
#![expect(clippy::disallowed_methods, reason = "the macro of libFuzzer writes a file that its own tools ask for")]

use std::sync::OnceLock;

use vectra_fuzz::Target;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let _ = (selected().run)(input);
});

/// The target that the command line names; libFuzzer leaves arguments that begin with two hyphens alone.
fn selected() -> Target {
    static SELECTED: OnceLock<Target> = OnceLock::new();
    *SELECTED.get_or_init(|| {
        let name = std::env::args().find_map(|argument| argument.strip_prefix("--target=").map(str::to_owned));
        let name = name.expect("the command line has --target=NAME");
        vectra_fuzz::targets::find(&name).unwrap_or_else(|| panic!("there is no target {name:?}"))
    })
}
