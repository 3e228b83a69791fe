//! Every kernel compiles for every architecture, and code is kept on disk: without a GPU.
//!
//! Skipped where there is no NVRTC, unless `REQUIRE_NVRTC` is set, as `ci/test_kernels.sh` does.
#![allow(clippy::unwrap_used)] // in helpers too

use sklearnex_rs::Error;
use sklearnex_rs::device::cuda::{Source, cubin_at};
use std::path::{Path, PathBuf};
use std::{env, fs};

const SOURCE: Source = Source::ALL[0];

/// A folder of this test alone.
fn folder(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("cubins-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn code(folder: Option<&Path>, source: &Source, real: &str, sm: i32) -> Option<Vec<u8>> {
    match cubin_at(folder, source, real, sm) {
        Err(Error::NoCuda(why)) if env::var_os("REQUIRE_NVRTC").is_none() => {
            eprintln!("skipped: {why}");
            None
        }
        code => Some(code.unwrap()),
    }
}

#[test]
fn every_kernel_compiles_for_every_architecture() {
    let each = |source: &Source, real: &str| {
        for sm in [80, 90, 100] {
            let Some(code) = code(None, source, real, sm) else {
                return;
            };
            let name = source.name;
            assert_eq!(code[..4], *b"\x7fELF", "{name} for {real}, sm_{sm}");
        }
    };
    std::thread::scope(|scope| {
        for real in ["float", "double"] {
            scope.spawn(move || Source::ALL.iter().for_each(|source| each(source, real)));
        }
    });
}

/// What launches know too stands in Rust alone; and where `KERNEL_CONSTANTS` names a folder, it gets a header
/// for each file of kernels, which the emulator is built with (`tests/cuda/build.sh`).
#[test]
fn constants_of_kernels_come_from_their_launches() {
    let folder = env::var_os("KERNEL_CONSTANTS").map(PathBuf::from);
    for source in Source::ALL {
        let mut header = String::new();
        for definition in source.definitions() {
            let (name, value) = definition.split_once('=').unwrap();
            let used = source.text.contains(name) || name == "THREADS";
            assert!(used, "{} does not name {name}", source.name);
            let twice = source.text.contains(&format!("#define {name} "));
            assert!(!twice, "{} defines {name} once more", source.name);
            for part in ["#undef ", name, "\n#define ", name, " ", value, "\n"] {
                header.push_str(part);
            }
        }
        if let Some(folder) = &folder {
            fs::create_dir_all(folder).unwrap();
            let name = Path::new(source.name).with_extension("h");
            fs::write(folder.join(name), header).unwrap();
        }
    }
}

#[test]
fn a_gpu_that_is_newer_than_the_compiler_is_told() {
    let said = match cubin_at(None, &SOURCE, "float", 999) {
        Err(Error::NoCuda(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(said.contains("sklearnex_rs[cuda13]"), "{said}");
    let missing = env::var_os("REQUIRE_NVRTC").is_none();
    assert!(missing || said.contains("sm_999"), "{said}");
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let wrong = Source {
        name: "wrong.cu",
        text: "#include \"common.cuh\"\n\nint nothing = missing;\n",
        constants: &[],
    };
    match cubin_at(None, &wrong, "float", 90) {
        Err(Error::NoCuda(_)) => {}
        Err(error) => assert!(error.to_string().contains("wrong.cu(3)"), "{error}"),
        Ok(_) => panic!("that compiled"),
    }
}

#[test]
fn code_is_kept_once_and_read_again() {
    let folder = folder("kept");
    let Some(first) = code(Some(&folder), &SOURCE, "float", 80) else {
        return;
    };
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 1, "no temporary file is left");
    let kept = files[0].path();
    let made = fs::metadata(&kept).unwrap().modified().unwrap();
    assert_eq!(code(Some(&folder), &SOURCE, "float", 80).unwrap(), first);
    assert_eq!(fs::metadata(&kept).unwrap().modified().unwrap(), made);
    // Half a file is not believed: it is made anew.
    let whole = fs::read(&kept).unwrap();
    fs::write(&kept, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(code(Some(&folder), &SOURCE, "float", 80).unwrap(), first);
    assert_eq!(fs::read(&kept).unwrap(), whole);
    // Another type is other code.
    assert_ne!(code(Some(&folder), &SOURCE, "double", 80).unwrap(), first);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn ranks_that_race_for_one_name_all_have_the_code() {
    let folder = folder("race");
    let one = || code(Some(&folder), &SOURCE, "float", 80);
    let all: Vec<_> = std::thread::scope(|scope| {
        let ranks: Vec<_> = (0..3).map(|_| scope.spawn(one)).collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    });
    assert!(all.iter().all(|code| *code == all[0]));
    let _ = fs::remove_dir_all(&folder);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_no_error() {
    // Not even root can make a folder inside of a file.
    let file = folder("file");
    fs::write(&file, "").unwrap();
    if let Some(code) = code(Some(&file.join("below")), &SOURCE, "float", 80) {
        assert!(!code.is_empty());
    }
    fs::remove_file(&file).unwrap();
}
