//! The file system as SQLite knows it: pointers in, pointers out, and nothing decided here.
#![allow(unsafe_code, reason = "SQLite calls over pointers")]

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null_mut;
use std::slice;
use std::sync::{Arc, OnceLock};

use libsqlite3_sys::{
    SQLITE_ACCESS_EXISTS, SQLITE_CANTOPEN, SQLITE_IOCAP_POWERSAFE_OVERWRITE,
    SQLITE_IOCAP_SUBPAGE_READ, SQLITE_NOTFOUND, SQLITE_OK, SQLITE_OPEN_CREATE,
    SQLITE_OPEN_MAIN_JOURNAL, SQLITE_OPEN_WAL, sqlite3_file, sqlite3_int64, sqlite3_io_methods,
    sqlite3_vfs, sqlite3_vfs_find, sqlite3_vfs_register,
};

use crate::disk::{self, Shared};
use crate::file::{self, Open};

/// What the unix file system says of the sectors below it.
const SECTOR: c_int = 4096;

/// An open file in the memory that SQLite gives for it.
#[repr(C)]
struct File {
    base: sqlite3_file,
    open: *mut Open,
}

/// The address of the file system that was there before, as a number: it lives as long as the
/// process.
static BEFORE: OnceLock<usize> = OnceLock::new();

fn before() -> *mut sqlite3_vfs {
    BEFORE
        .get()
        .map_or(null_mut(), |before| *before as *mut sqlite3_vfs)
}

/// Makes this the file system of all connections that name none.
pub(crate) fn register() {
    BEFORE.get_or_init(|| {
        // SAFETY: a null name asks for the default one, which every build for unix has, and
        // which is never freed.
        let before = unsafe { sqlite3_vfs_find(std::ptr::null()) };
        assert!(!before.is_null(), "SQLite has a file system");
        // SAFETY: not null, and whole: SQLite itself made it.
        let inherited = unsafe { *before };
        let size = c_int::try_from(size_of::<File>()).unwrap_or(c_int::MAX);
        // What is not replaced here does without the pointer to its file system, or is called
        // with the other one's below.
        let ours = Box::leak(Box::new(sqlite3_vfs {
            szOsFile: inherited.szOsFile.max(size),
            pNext: null_mut(),
            zName: c"faultdisk".as_ptr(),
            xOpen: Some(x_open),
            xDelete: Some(x_delete),
            xAccess: Some(x_access),
            xFullPathname: Some(x_full_pathname),
            ..inherited
        }));
        // SAFETY: leaked, so it lives on; registered once, because this runs once.
        let code = unsafe { sqlite3_vfs_register(ours, 1) };
        assert_eq!(code, SQLITE_OK, "SQLite takes a file system");
        before as usize
    });
}

/// The disk of a path; none for what lies elsewhere.
///
/// # Safety
/// `path` is null or a text that ends with a zero.
unsafe fn mounted(path: *const c_char) -> Option<(Arc<Shared>, String)> {
    if path.is_null() {
        return None;
    }
    // SAFETY: not null, and ends with a zero by this function's own condition.
    let path = unsafe { CStr::from_ptr(path) };
    disk::of(Path::new(OsStr::from_bytes(path.to_bytes())))
}

unsafe extern "C" fn x_open(
    _: *mut sqlite3_vfs,
    path: *const c_char,
    into: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's contract: null for a temporary file, else a text.
    let Some((disk, name)) = (unsafe { mounted(path) }) else {
        let before = before();
        // SAFETY: as in `register`; not null, or this would never have been called.
        let Some(open) = (unsafe { (*before).xOpen }) else {
            return SQLITE_CANTOPEN;
        };
        // SAFETY: what SQLite gave goes on as it came; the memory behind `into` is at least
        // as large as the other file system wants.
        return unsafe { open(before, path, into, flags, out_flags) };
    };
    let file = into.cast::<File>();
    let create = flags & SQLITE_OPEN_CREATE != 0;
    let beside = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL) != 0;
    let open = disk.open(&name, create, beside);
    let file_now = File {
        base: sqlite3_file {
            // Null says that there is nothing to be closed.
            pMethods: match &open {
                Some(_) => &METHODS,
                None => std::ptr::null(),
            },
        },
        open: open.map_or(null_mut(), |open| Box::into_raw(Box::new(open))),
    };
    let opened = !file_now.open.is_null();
    // SAFETY: SQLite gives `szOsFile` bytes for it, aligned for any type, and they hold nothing.
    unsafe { file.write(file_now) };
    if !opened {
        return SQLITE_CANTOPEN;
    }
    if !out_flags.is_null() {
        // SAFETY: not null, so SQLite's own integer.
        unsafe { out_flags.write(flags) };
    }
    SQLITE_OK
}

unsafe extern "C" fn x_delete(_: *mut sqlite3_vfs, path: *const c_char, sync: c_int) -> c_int {
    // SAFETY: SQLite's contract: a text.
    if let Some((disk, name)) = unsafe { mounted(path) } {
        return file::delete(&disk, &name, sync & 1 != 0);
    }
    let before = before();
    // SAFETY: as in `x_open`.
    match unsafe { (*before).xDelete } {
        // SAFETY: as in `x_open`.
        Some(delete) => unsafe { delete(before, path, sync) },
        None => SQLITE_NOTFOUND,
    }
}

unsafe extern "C" fn x_access(
    _: *mut sqlite3_vfs,
    path: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's contract: a text.
    if let Some((disk, name)) = unsafe { mounted(path) } {
        return match file::exists(&disk, &name, flags != SQLITE_ACCESS_EXISTS) {
            Ok(there) => {
                // SAFETY: SQLite's own integer.
                unsafe { out.write(there.into()) };
                SQLITE_OK
            }
            Err(code) => code,
        };
    }
    let before = before();
    // SAFETY: as in `x_open`.
    match unsafe { (*before).xAccess } {
        // SAFETY: as in `x_open`.
        Some(access) => unsafe { access(before, path, flags, out) },
        None => SQLITE_NOTFOUND,
    }
}

unsafe extern "C" fn x_full_pathname(
    _: *mut sqlite3_vfs,
    path: *const c_char,
    size: c_int,
    out: *mut c_char,
) -> c_int {
    let before = before();
    // SAFETY: as in `x_open`.
    match unsafe { (*before).xFullPathname } {
        // SAFETY: as in `x_open`.
        Some(full) => unsafe { full(before, path, size, out) },
        None => SQLITE_CANTOPEN,
    }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(x_close),
    xRead: Some(x_read),
    xWrite: Some(x_write),
    xTruncate: Some(x_truncate),
    xSync: Some(x_sync),
    xFileSize: Some(x_file_size),
    xLock: Some(x_lock),
    xUnlock: Some(x_unlock),
    xCheckReservedLock: Some(x_check_reserved_lock),
    xFileControl: Some(x_file_control),
    xSectorSize: Some(x_sector_size),
    xDeviceCharacteristics: Some(x_device_characteristics),
    xShmMap: Some(x_shm_map),
    xShmLock: Some(x_shm_lock),
    xShmBarrier: Some(x_shm_barrier),
    xShmUnmap: Some(x_shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// The file behind SQLite's pointer.
///
/// # Safety
/// `file` was opened by [`x_open`] with these methods and is not closed. Nobody else uses it
/// meanwhile: a connection is used by one thread at a time.
unsafe fn opened<'a>(file: *mut sqlite3_file) -> &'a mut Open {
    // SAFETY: `x_open` put it there, and only `x_close` takes it away.
    unsafe { &mut *(*file.cast::<File>()).open }
}

fn size(n: impl TryInto<usize>) -> usize {
    n.try_into().unwrap_or_default()
}

unsafe extern "C" fn x_close(file: *mut sqlite3_file) -> c_int {
    let file = file.cast::<File>();
    // SAFETY: opened by `x_open`, closed once.
    unsafe {
        drop(Box::from_raw((*file).open));
        (*file).open = null_mut();
    }
    SQLITE_OK
}

unsafe extern "C" fn x_read(
    file: *mut sqlite3_file,
    into: *mut c_void,
    count: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite's contract for a method: see `opened`; and `count` bytes to be written.
    let (open, into) = unsafe {
        let into = slice::from_raw_parts_mut(into.cast::<u8>(), size(count));
        (opened(file), into)
    };
    open.read(into, size(at))
}

unsafe extern "C" fn x_write(
    file: *mut sqlite3_file,
    from: *const c_void,
    count: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite's contract for a method: see `opened`; and `count` bytes to be read.
    let (open, from) = unsafe {
        let from = slice::from_raw_parts(from.cast::<u8>(), size(count));
        (opened(file), from)
    };
    open.write(from, size(at))
}

unsafe extern "C" fn x_truncate(file: *mut sqlite3_file, length: sqlite3_int64) -> c_int {
    // SAFETY: SQLite's contract for a method: see `opened`.
    unsafe { opened(file) }.truncate(size(length))
}

unsafe extern "C" fn x_sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite's contract for a method: see `opened`.
    unsafe { opened(file) }.sync()
}

unsafe extern "C" fn x_file_size(file: *mut sqlite3_file, out: *mut sqlite3_int64) -> c_int {
    // SAFETY: SQLite's contract for a method: see `opened`.
    match unsafe { opened(file) }.length() {
        Ok(length) => {
            // SAFETY: SQLite's own integer.
            unsafe { out.write(length.try_into().unwrap_or(sqlite3_int64::MAX)) };
            SQLITE_OK
        }
        Err(code) => code,
    }
}

unsafe extern "C" fn x_lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite's contract for a method: see `opened`.
    unsafe { opened(file) }.lock(level)
}

unsafe extern "C" fn x_unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite's contract for a method: see `opened`.
    unsafe { opened(file) }.unlock(level)
}

unsafe extern "C" fn x_check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: SQLite's contract for a method: see `opened`; `out` is its own integer.
    unsafe { out.write(opened(file).is_reserved().into()) };
    SQLITE_OK
}

unsafe extern "C" fn x_file_control(_: *mut sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    SQLITE_NOTFOUND
}

unsafe extern "C" fn x_sector_size(_: *mut sqlite3_file) -> c_int {
    SECTOR
}

/// As the unix file system says, so that SQLite writes as it does there.
unsafe extern "C" fn x_device_characteristics(_: *mut sqlite3_file) -> c_int {
    SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_SUBPAGE_READ
}

unsafe extern "C" fn x_shm_map(
    file: *mut sqlite3_file,
    number: c_int,
    bytes: c_int,
    make: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite's contract for a method: see `opened`.
    let mapped = unsafe { opened(file) }.map(size(number), size(bytes), make != 0);
    let (region, code) = match mapped {
        Ok(region) => (region.unwrap_or(null_mut()), SQLITE_OK),
        Err(code) => (null_mut(), code),
    };
    // SAFETY: SQLite's own pointer.
    unsafe { out.write(region) };
    code
}

unsafe extern "C" fn x_shm_lock(
    file: *mut sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: SQLite's contract for a method: see `opened`.
    unsafe { opened(file) }.lock_index(size(first), size(count), flags)
}

unsafe extern "C" fn x_shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: SQLite's contract for a method: see `opened`.
    unsafe { opened(file) }.barrier();
}

unsafe extern "C" fn x_shm_unmap(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite's contract for a method: see `opened`.
    unsafe { opened(file) }.unmap();
    SQLITE_OK
}
