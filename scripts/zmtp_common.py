# What zmtp-capture and zmtp-inject-keys share: names that no file has yet, a place for keys that nobody else can reach,
# and words.
# SPDX-License-Identifier: GPL-2.0-or-later
import os
import shutil
import stat


def several(count, what):
    return f"{count} {what}{'' if count == 1 else 's'}"


def create_private(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def rename_new(path, new):
    """Gives a file its name, unless another has it."""
    try:
        os.link(path, new)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        create_private(new)
        os.replace(path, new)
    else:
        os.unlink(path)


def copy_new(path, new):
    """Copies a file, unless another has the new name. Of a copy that fails nothing stays."""
    create_private(new)
    try:
        shutil.copyfile(path, new)
    except BaseException:
        new.unlink()
        raise


def give_name(give, path, wanted):
    """Moves or copies a file to the first free name of OUT.pcapng, OUT.1.pcapng, OUT.2.pcapng ... Returns (its path,
    None); where it cannot be done, (its old path, the reason)."""
    stem, ending = split_name(wanted, (".pcapng", ".pcap", ".keys"))
    for new in (wanted, *(wanted.with_name(f"{stem}.{number}{ending}") for number in range(1, 1000))):
        try:
            give(path, new)
            return new, None
        except FileExistsError:
            continue
        except OSError as error:
            return path, error.strerror
    return path, "exists already"


def split_name(path, endings=(".pcapng", ".pcap")):
    """A file's name without its ending, and the ending; the name v1.2 has none."""
    return (path.stem, path.suffix) if path.suffix in endings else (path.name, "")


def keys_beside(out):
    return out.with_name(f"{split_name(out)[0]}.keys")


def is_ours_alone(folder, forbidden):
    try:
        status = os.stat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & forbidden and \
        os.access(folder, os.W_OK | os.X_OK)


def private_place(out):
    """A folder where nobody else can make a file anew when it is gone: a program that runs on after us would write its
    keys there. None: the usual one for temporary files."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.path.isabs(runtime) and is_ours_alone(runtime, 0o077):
        return runtime
    if os.geteuid() == 0 and is_ours_alone("/run", 0o022):
        return "/run"
    return out.parent if is_ours_alone(out.parent, 0o022) else None
