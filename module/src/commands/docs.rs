//! The commands as `COMMAND INFO`, `COMMAND DOCS` and ACL rules see them: turns the table into the
//! structures that Redis copies from.

use core::ffi::{CStr, c_int};
use core::ptr;

use redis_module::raw;

use crate::commands::arguments::{ArgSpec, KEY};
use crate::commands::table::{COMMANDS, Command, SESSION, SUBCOMMANDS};
use crate::server::ffi;

/// The version in which every command here appeared.
const SINCE: &CStr = c"0.1.0";
/// The category that servers since Redis 7.4 and Valkey 8 let modules add.
const CATEGORY: &CStr = c"auth-ledger";

/// Registers every command; the name of the one that the server refused otherwise.
pub(crate) fn register(ctx: ffi::Ctx) -> Result<(), &'static CStr> {
    add_category(ctx);
    for command in COMMANDS.iter().chain([&SESSION]) {
        let (first, last, step) = command.key_range();
        let (name, flags) = (command.name.as_ptr(), command.flags.as_ptr());
        // SAFETY: `ctx` is that of the load; Redis copies the texts.
        let status =
            unsafe { ffi::create_command(ctx, name, command.run, flags, first, last, step) };
        // SAFETY: as above; null if there is no such command.
        let handle = unsafe { ffi::find_command(ctx, name) };
        command.describe(handle, status)?;
    }
    // SAFETY: as above.
    let parent = unsafe { ffi::find_command(ctx, SESSION.name.as_ptr()) };
    for command in &SUBCOMMANDS {
        let (first, last, step) = command.key_range();
        let (name, flags) = (command.name.as_ptr(), command.flags.as_ptr());
        // SAFETY: as above.
        let status =
            unsafe { ffi::create_subcommand(parent, name, command.run, flags, first, last, step) };
        let full = [SESSION.name.to_bytes(), b"|", command.name.to_bytes_with_nul()].concat();
        // SAFETY: as above.
        let handle = unsafe { ffi::find_command(ctx, full.as_ptr().cast()) };
        command.describe(handle, status)?;
    }
    Ok(())
}

fn add_category(ctx: ffi::Ctx) {
    // SAFETY: written once by `RedisModule_Init`; absent before Redis 7.4.
    if let Some(add) = unsafe { raw::RedisModule_AddACLCategory } {
        // SAFETY: `ctx` is that of the load; Redis copies the text.
        unsafe { add(ctx, CATEGORY.as_ptr()) };
    }
}

impl Command {
    fn key_range(&self) -> (c_int, c_int, c_int) {
        self.key.map_or((0, 0, 0), |(at, _)| (at, at, 1))
    }

    fn describe(
        &self,
        handle: *mut raw::RedisModuleCommand,
        created: c_int,
    ) -> Result<(), &'static CStr> {
        if created != ffi::OK || handle.is_null() {
            return Err(self.name);
        }
        let specs = self.key_specs();
        let args = Args::build(self.args);
        let info = raw::RedisModuleCommandInfo {
            version: &raw const VERSION,
            summary: self.summary.as_ptr(),
            complexity: self.complexity.as_ptr(),
            since: SINCE.as_ptr(),
            history: ptr::null_mut(),
            tips: self.tips.map_or(ptr::null(), CStr::as_ptr),
            arity: self.arity,
            key_specs: specs.as_ptr().cast_mut(),
            args: args.list.as_ptr().cast_mut(),
        };
        // SAFETY: everything `info` points to lives until the end of this function; Redis copies.
        let status = unsafe { ffi::set_command_info(handle, &raw const info) };
        self.categorise(handle);
        if status == ffi::OK { Ok(()) } else { Err(self.name) }
    }

    /// Redis 7.0 puts module commands into no category. A server that can, but has no category of
    /// ours, gets the others.
    fn categorise(&self, handle: *mut raw::RedisModuleCommand) {
        // SAFETY: written once by `RedisModule_Init`; absent before Redis 7.2.
        let Some(set) = (unsafe { raw::RedisModule_SetCommandACLCategories }) else { return };
        // SAFETY: `handle` is a command of ours; the text is read at once.
        if unsafe { set(handle, self.categories.as_ptr()) } == ffi::OK {
            return;
        }
        let own = CATEGORY.to_bytes().len();
        let all = self.categories.to_bytes();
        let rest = all.get(..all.len().saturating_sub(own)).unwrap_or_default().trim_ascii();
        let rest = [rest, b"\0"].concat();
        // SAFETY: as above; ends with NUL.
        unsafe { set(handle, rest.as_ptr().cast()) };
    }

    /// The key specification and the terminator, or only that.
    fn key_specs(&self) -> Vec<raw::RedisModuleCommandKeySpec> {
        let spec = |(at, flags): (c_int, u32)| raw::RedisModuleCommandKeySpec {
            notes: ptr::null(),
            flags: flags.into(),
            begin_search_type: raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_INDEX,
            bs: raw::RedisModuleCommandKeySpec__bindgen_ty_1 {
                index: raw::RedisModuleCommandKeySpec__bindgen_ty_1__bindgen_ty_1 { pos: at },
            },
            find_keys_type: raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_RANGE,
            fk: raw::RedisModuleCommandKeySpec__bindgen_ty_2 {
                range: raw::RedisModuleCommandKeySpec__bindgen_ty_2__bindgen_ty_1 {
                    lastkey: 0,
                    keystep: 1,
                    limit: 0,
                },
            },
        };
        // SAFETY: all zero is the terminator Redis looks for, and valid for integers and pointers.
        let terminator = unsafe { core::mem::zeroed() };
        self.key.map(spec).into_iter().chain([terminator]).collect()
    }
}

static VERSION: raw::RedisModuleCommandInfoVersion = raw::RedisModuleCommandInfoVersion {
    version: 1,
    sizeof_historyentry: size_of::<raw::RedisModuleCommandHistoryEntry>(),
    sizeof_keyspec: size_of::<raw::RedisModuleCommandKeySpec>(),
    sizeof_arg: size_of::<raw::RedisModuleCommandArg>(),
};

/// C structures for arguments; the parts live as long as the list that points to them.
struct Args {
    list: Vec<raw::RedisModuleCommandArg>,
    _parts: Vec<Self>,
}

impl Args {
    fn build(args: &[ArgSpec]) -> Self {
        let parts: Vec<Self> = args.iter().map(|arg| Self::build(arg.parts)).collect();
        let with_parts = args.iter().zip(&parts);
        let convert = |(arg, parts): (&ArgSpec, &Self)| raw::RedisModuleCommandArg {
            name: arg.name.as_ptr(),
            type_: arg.kind,
            key_spec_index: if arg.kind == KEY { 0 } else { -1 },
            token: arg.token.map_or(ptr::null(), CStr::as_ptr),
            summary: ptr::null(),
            since: ptr::null(),
            flags: arg.flags.cast_signed(),
            deprecated_since: ptr::null(),
            subargs: if arg.parts.is_empty() {
                ptr::null_mut()
            } else {
                parts.list.as_ptr().cast_mut()
            },
            display_text: ptr::null(),
        };
        // SAFETY: all zero is the terminator Redis looks for, and valid for integers and pointers.
        let terminator = unsafe { core::mem::zeroed() };
        let list = with_parts.map(convert).chain([terminator]).collect();
        Self { list, _parts: parts }
    }
}
