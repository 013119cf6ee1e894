# The table of captures in ../README.md, from the NAME.json files.
# SPDX-License-Identifier: GPL-2.0-or-later

import json


def markdown(captures):
    rows = ["| capture | what it holds | handshake | keys |", "| --- | --- | --- | --- |"]
    for folder in sorted(path for path in captures.iterdir() if path.is_dir()):
        for path in sorted(path for path in folder.glob("*.json") if not path.name.endswith(".expect.json")):
            about = json.loads(path.read_text(encoding="utf-8"))
            note = "" if about["whole"] else " (not whole)"
            rows.append(f"| {folder.name}/{path.stem} | {about['about']}{note} "
                        f"| {about['handshake']} | {key_files(about)} |")
    return "\n".join(rows)


def key_files(about):
    return "keytab" if about.get("keytab") else "yes" if about["has_keys"] else ""
