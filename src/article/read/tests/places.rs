//! Where articles are found: folders, paths and patterns, and pipes that give what they have.

use std::fs;
use std::io::Read;

use super::super::{InputFormat, ReadOptions, Reader, Source, sources};
use super::{TEXT, brief, pairs};
use crate::article::Raw;
use crate::error::Error;

#[test]
fn folders_are_read_in_byte_order_without_hidden_files_and_links() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in [
        "b.txt",
        "a/z.txt",
        "a.txt",
        "a-b.txt",
        ".hidden.txt",
        ".git/c.txt",
        "a/image.png",
    ] {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        fs::write(at(name), TEXT).unwrap();
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path(), at("loop")).unwrap();
        std::os::unix::fs::symlink(at("b.txt"), at("link.txt")).unwrap();
    }
    let root = folder.path().to_str().unwrap().to_owned();
    let names = |paths: &[String]| -> Vec<String> {
        Reader::new(sources(paths).unwrap(), ReadOptions::default())
            .map(|raw| raw.id[root.len() + 1..].to_owned())
            .collect()
    };
    let expected = ["a-b.txt", "a.txt", "a/image.png", "a/z.txt", "b.txt"];
    assert_eq!(names(std::slice::from_ref(&root)), expected);
    assert_eq!(
        names(&[format!("{root}/*.txt")])[..3],
        ["a-b.txt", "a.txt", "b.txt"]
    );
    assert_eq!(
        names(&[format!("{root}/**/z.txt"), format!("{root}/.hidden.txt")]),
        ["a/z.txt", ".hidden.txt"]
    );
    #[cfg(unix)]
    assert_eq!(names(&[format!("{root}/link.txt")]), ["link.txt"]);
}

#[test]
fn a_path_or_pattern_that_matches_nothing_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    for path in [
        format!("{root}/none"),
        format!("{root}/*.none"),
        format!("{root}/["),
    ] {
        assert!(matches!(sources(&[path]), Err(Error::Usage(_))));
    }
}

#[test]
fn standard_input_is_read_once() {
    let twice = sources(&["-".into(), "-".into()]).unwrap_err();
    assert!(twice.to_string().contains("given twice"), "{twice}");
}

#[test]
fn a_path_that_exists_is_no_pattern() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let odd = format!("{root}/[draft] *.txt");
    fs::write(&odd, TEXT).unwrap();
    assert_eq!(
        sources(std::slice::from_ref(&odd)).unwrap(),
        [Source::Path(odd.into())]
    );
}

#[test]
fn a_file_that_went_away_is_unreadable() {
    let sources = vec![Source::Path("no/such/file.txt".into())];
    let raws: Vec<_> = Reader::new(sources, ReadOptions::default()).collect();
    assert_eq!(brief(&raws), pairs(&[("no/such/file.txt", "Unreadable")]));
}

/// Gives its parts one by one, then says that reading on would wait.
struct Pipe(Vec<&'static [u8]>);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        assert!(!self.0.is_empty(), "read past the line that is there");
        let part = self.0.remove(0);
        buffer[..part.len()].copy_from_slice(part);
        Ok(part.len())
    }
}

#[test]
fn a_pipe_is_answered_line_by_line() {
    let first = |options: &ReadOptions, parts: &[&'static [u8]]| {
        let stdin = Box::new(Pipe(parts.to_vec()));
        let mut reader = Reader::with_stdin(vec![Source::Stdin], options.clone(), stdin);
        reader.next().unwrap()
    };
    let auto = ReadOptions::default();
    for line in [
        &b"{\"id\":\"a\",\"text\":\"One.\"}\n"[..],
        b" { \"id\":\"a\",\"text\":\"One.\"}\n",
        b"\xef\xbb\xbf{\"id\":\"a\",\"text\":\"One.\"}\r\n",
    ] {
        assert_eq!(first(&auto, &[line]).id, "a");
    }
    assert_eq!(
        first(&auto, &[b"{\"id\":\"a\",", b"\"text\":\"One.\"}\n"]).id,
        "a"
    );
    // Told what comes, it waits for no more than a line, whatever that is.
    let lines = ReadOptions {
        format: InputFormat::Jsonl,
        ..auto
    };
    assert_eq!(first(&lines, &[b"nonsense\n"]).id, "-#1");
}

#[test]
fn records_of_a_pipe_do_not_depend_on_how_much_came_at_once() {
    // Windows-1251, of which the second line alone is too short to tell.
    let lines: [&'static [u8]; 2] = [
        b"{\"id\":\"a\",\"text\":\"The talks open on Monday.\"}\n",
        b"{\"id\":\"b\",\"text\":\"\xcf\xe5\xf0\xe5\xe3\xee\xe2\xee\xf0\xfb \xed\xe0\xf7\xed\xf3\xf2\xf1\xff.\"}\n",
    ];
    let all = |parts: Vec<&'static [u8]>| -> Vec<Raw> {
        let stdin: Box<dyn Read + Send> = Box::new(Chunks(parts));
        Reader::with_stdin(vec![Source::Stdin], ReadOptions::default(), stdin).collect()
    };
    struct Chunks(Vec<&'static [u8]>);
    impl Read for Chunks {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let part = self.0.remove(0);
            buffer[..part.len()].copy_from_slice(part);
            Ok(part.len())
        }
    }
    let together: &'static [u8] = Box::leak(lines.concat().into_boxed_slice());
    assert_eq!(all(lines.to_vec()), all(vec![together]));
}
