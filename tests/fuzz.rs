//! Every seed of the fuzzing, and all that it found, through the functions that are fuzzed: on the stable compiler, in a moment.

use std::fs;

use crate::path;

#[path = "../fuzz/src/targets.rs"]
mod targets;

fn replay(target: fn(&[u8]), name: &str) {
    let folder = path("../fuzz/seeds").join(name);
    let seeds = fs::read_dir(&folder).unwrap();
    let mut files: Vec<_> = seeds.map(|seed| seed.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        // Which one it was, should it fail.
        #[allow(clippy::print_stdout)]
        {
            println!("{}", file.display());
        }
        target(&fs::read(&file).unwrap());
    }
}

macro_rules! replayed {
    ($($target:ident),+) => {
        $(
            #[test]
            fn $target() {
                replay(targets::$target, stringify!($target));
            }
        )+

        #[test]
        fn every_folder_of_seeds_has_its_target() {
            let mut targets = [$(stringify!($target)),+];
            targets.sort_unstable();
            let below = |folder: &str| {
                let names = fs::read_dir(path(folder)).unwrap();
                let mut names: Vec<_> = names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
                names.sort_unstable();
                names
            };
            assert_eq!(below("../fuzz/seeds"), targets);
            assert_eq!(below("../fuzz/fuzz_targets"), targets.map(|target| format!("{target}.rs")));
        }
    };
}

replayed!(
    reading, cleaning, sentences, manifest, model, decoder, records, journal
);
