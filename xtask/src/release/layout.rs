//! The last step of a release: `llvm-bolt` watches the finished programs once more, block by block, and lays what runs
//! side by side, apart from what does not. A request touches fewer lines and pages of code so, and jumps less.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::run;
use crate::say;

/// What the linker has to leave in a program for it: where addresses stand.
pub(super) const LINKED: &str = "-Clink-arg=-Wl,--emit-relocs";

/// The releases of LLVM whose `llvm-bolt` is looked for, the newest first.
const VERSIONS: std::ops::Range<u32> = 19..40;

/// How blocks and functions are ordered and parted: by what jumps where, and calls what, the most.
const ORDER: [&str; 8] = [
    "--reorder-blocks=ext-tsp",
    "--reorder-functions=cdsort",
    "--split-functions",
    "--split-all-cold",
    "--split-strategy=cdsplit",
    "--plt=hot",
    "--icf=all",
    "--update-debug-sections",
];

/// The programs of LLVM that do it.
pub(super) struct Layout {
    bolt: PathBuf,
    merge: PathBuf,
}

impl Layout {
    /// `None` where they are not on this machine.
    pub(super) fn find() -> Option<Self> {
        let tool = |name: &str| {
            let versioned = VERSIONS.rev().map(|version| format!("{name}-{version}"));
            std::iter::once(name.to_owned()).chain(versioned).find_map(|name| in_path(&name))
        };
        let (bolt, merge) = tool("llvm-bolt").zip(tool("merge-fdata"))?;
        Some(Self { bolt, merge })
    }

    /// Watches `programs` at work by `train`, and leaves them laid out anew in `target`; where they are then.
    pub(super) fn lay_out(&self, programs: &[PathBuf], target: &Path, train: &Path) -> Result<Vec<PathBuf>> {
        let directory = target.join("laid-out");
        if directory.exists() {
            std::fs::remove_dir_all(&directory).with_context(|| directory.display().to_string())?;
        }
        std::fs::create_dir_all(&directory)?;
        say("release: watching it at work once more, block by block (bench/train)");
        let watched = programs.iter().map(|program| self.watch(program, &directory));
        let watched = watched.collect::<Result<Vec<_>>>()?;
        run(Command::new(train).args(&watched))?;
        say("release: laying it out by what was seen");
        programs.iter().map(|program| self.order(program, &directory)).collect()
    }

    /// Builds a program that writes down what of it runs, as it ends.
    fn watch(&self, program: &Path, directory: &Path) -> Result<PathBuf> {
        let name = name(program)?;
        let watched = directory.join(format!("{name}-watched"));
        let mut command = Command::new(&self.bolt);
        command.arg(program).args(["--instrument", "--instrumentation-file-append-pid"]);
        command.arg(format!("--instrumentation-file={}", directory.join(name).display()));
        quietly(command.arg("-o").arg(&watched), directory, &format!("{name}-watched"))?;
        Ok(watched)
    }

    /// Lays a program out by what was written down.
    fn order(&self, program: &Path, directory: &Path) -> Result<PathBuf> {
        let name = name(program)?;
        let written = std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
        let mut seen = written.collect::<Result<Vec<_>>>()?;
        seen.retain(|path| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            file.starts_with(&format!("{name}.")) && file.ends_with(".fdata")
        });
        ensure!(!seen.is_empty(), "{name} has written nothing down");
        let (all, laid_out) = (directory.join(format!("{name}-seen")), directory.join(name));
        quietly(
            Command::new(&self.merge).arg("-o").arg(&all).args(&seen),
            directory,
            &format!("{name}-seen"),
        )?;
        let mut command = Command::new(&self.bolt);
        command.arg(program).arg("-o").arg(&laid_out).arg("--data").arg(&all).args(ORDER);
        quietly(&mut command, directory, name)?;
        Ok(laid_out)
    }
}

/// Runs a command that says much, which is kept in a file.
fn quietly(command: &mut Command, directory: &Path, name: &str) -> Result<()> {
    let log = directory.join(format!("{name}.log"));
    let file = std::fs::File::create(&log).with_context(|| log.display().to_string())?;
    let done = run(command.stdout(file.try_clone()?).stderr(file));
    done.with_context(|| format!("{} says why", log.display()))
}

fn name(program: &Path) -> Result<&str> {
    let name = program.file_name().and_then(|name| name.to_str());
    name.with_context(|| program.display().to_string())
}

/// A program of this name, where the shell would find it.
fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file())
}
