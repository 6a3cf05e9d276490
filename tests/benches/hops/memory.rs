//! What processes hold of the machine's memory.

use std::error::Error;

use crate::aim::Aims;
use crate::figure::Table;
use crate::mesh::Mesh;

/// The most that an idle `gearmesh dev` is meant to hold, in MiB.
const DEV_MAX: f64 = 60.0;

/// Memory of a process, in MiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// All pages that are there.
    resident: f64,
    /// The same, but of pages that several processes share, as those of the binary,
    /// each its part. Sums of it are true.
    proportional: f64,
}

/// Of one process.
pub(crate) fn of(pid: u32) -> Result<Memory, Box<dyn Error>> {
    Ok(Memory {
        resident: read(pid, "status", "VmRSS:")?,
        proportional: read(pid, "smaps_rollup", "Pss:")?,
    })
}

/// Of each process of a mesh, by name.
pub(crate) fn of_all(mesh: &Mesh) -> Result<Vec<(String, Memory)>, Box<dyn Error>> {
    let named = |(name, pid): (&str, u32)| Ok((name.to_owned(), of(pid)?));
    mesh.pids().map(named).collect()
}

fn read(pid: u32, file: &str, key: &str) -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    let kib: f64 = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.trim().strip_suffix("kB"))
        .ok_or_else(|| format!("no {key} in {file}"))?
        .trim()
        .parse()?;
    Ok(kib / 1024.0)
}

/// Adds the lines of memory.
pub(crate) fn show(
    dev: &Memory,
    idle: &[(String, Memory)],
    after: &[(String, Memory)],
    table: &mut Table,
    aims: &mut Aims,
) -> std::io::Result<()> {
    table.part("memory after 10 s idle")?;
    let line = |table: &mut Table, what: &str, memory: &Memory, aim: &str| {
        let resident = format!("{:.1} MiB", memory.resident);
        let share = format!("share {:.1} MiB  {aim}", memory.proportional);
        table.line(what, &resident, &share)
    };
    let aim = aims.most("gearmesh dev, idle", dev.resident, DEV_MAX, " MiB");
    line(table, "gearmesh dev", dev, &aim)?;
    for (name, memory) in idle {
        line(table, name, memory, "")?;
    }
    line(table, "all of these", &sum(idle), "")?;
    line(
        table,
        "all of these, after the calls and runs",
        &sum(after),
        "",
    )
}

fn sum(all: &[(String, Memory)]) -> Memory {
    all.iter()
        .fold(Memory::default(), |sum, (_, memory)| Memory {
            resident: sum.resident + memory.resident,
            proportional: sum.proportional + memory.proportional,
        })
}
