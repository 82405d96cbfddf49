//! `--function NAME=PATH`: a function by what lies at a path.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use lockgate_function::{Description, Name, Program, Runtime};

/// How long a call may take where nothing says so; Lambda's 3 s are little for trying things out.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Memory where nothing says so, in MB.
const MEMORY: u32 = 1024;

/// A function from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionArgument(pub(crate) Description);

impl FromStr for FunctionArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, path) =
            text.split_once('=').ok_or("expected NAME=PATH, such as hello=./bootstrap or hello=./app.py")?;
        let name: Name = name.parse().map_err(|error| format!("{error}"))?;
        let path = Path::new(path);
        let path = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
        if !path.is_file() {
            return Err(format!("{} is no file: a bootstrap, a .py, or a .mjs, .js or .cjs", path.display()));
        }
        let directory = path.parent().unwrap_or(&path).to_owned();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let of = |runtime| Program::Handler { runtime, handler: stem };
        let program = match path.extension().and_then(|extension| extension.to_str()) {
            Some("py") => of(Runtime::Python),
            Some("mjs" | "js" | "cjs") => of(Runtime::Node),
            _ => Program::Command(vec![path.to_string_lossy().into_owned()]),
        };
        let mut function = Description::new(name, program, directory);
        (function.timeout, function.memory) = (TIMEOUT, MEMORY);
        function.check().map_err(|error| error.to_string())?;
        Ok(Self(function))
    }
}

#[cfg(test)]
mod tests {
    use lockgate_function::{Program, Runtime};

    use super::FunctionArgument;

    #[test]
    fn the_file_says_how_it_is_run() {
        let folder = tempfile::tempdir().unwrap();
        let parse = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            format!("hello={}", path.display()).parse::<FunctionArgument>().unwrap().0
        };
        let handler = |runtime| Program::Handler { runtime, handler: "app".to_owned() };
        assert_eq!(parse("app.py").program, handler(Runtime::Python));
        assert_eq!(parse("app.mjs").program, handler(Runtime::Node));
        let Program::Command(words) = parse("bootstrap").program else { panic!("a program of its own") };
        assert!(words[0].starts_with('/') && words[0].ends_with("/bootstrap"), "{words:?}");
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (text, expected) in
            [("hello", "NAME=PATH"), ("a.b=/x", "a.b"), ("a=/nowhere", "/nowhere: No such")]
        {
            let error = text.parse::<FunctionArgument>().unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
