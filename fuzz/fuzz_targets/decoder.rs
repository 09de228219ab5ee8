#![no_main]

libfuzzer_sys::fuzz_target!(init: tidings_fuzz::hook(), |data: &[u8]| tidings_fuzz::targets::decoder(data));
