# Reads what tests want out of tshark's PDML, and writes it as short text that a person can compare.
# SPDX-License-Identifier: GPL-2.0-or-later
import collections
import decimal
import hashlib
import re

WIDTH = 160  # longer values are cut
# Of long captures the golden text has a digest instead of the tree: beyond so many frames in a packet, packets in all.
FRAMES_IN_FULL, PACKETS_IN_FULL = 12, 60
# The protocols below ZMTP, whose text differs between Wireshark versions and is none of our business.
BELOW = {"geninfo", "frame", "eth", "sll", "null", "raw", "ip", "ipv6", "tcp", "fake-field-wrapper"}
SEVERITIES = {0x100000: "Comment", 0x200000: "Chat", 0x400000: "Note", 0x600000: "Warning", 0x800000: "Error"}
Expert = collections.namedtuple("Expert", "frame name severity message")


def number(packet):
    return int(packet.find("proto[@name='geninfo']/field[@name='num']").get("show"))


def protocols(packet):
    """The names of the packet's protocols from ZMTP upwards."""
    return [proto.get("name") for proto in packet.findall("proto") if proto.get("name") not in BELOW]


def fields(packets, name):
    """Every field of that name within ZMTP, in order, as (packet, element)."""
    return [(packet, field) for packet in packets for proto in packet.findall("proto[@name='zmtp']")
            for field in proto.iter("field") if field.get("name") == name]


def shows(packets, name):
    return [field.get("show") for _, field in fields(packets, name)]


def octets(field):
    return bytes.fromhex(field.get("show").replace(":", "").replace("<MISSING>", ""))


def is_true(field):
    return field.get("show") in ("1", "True")  # 4.0 writes 1, 4.4 writes True


def tcp(packet, name):
    return packet.find(f"proto[@name='tcp']/field[@name='tcp.{name}']").get("show")


def frames_by_stream(packets, port):
    """{TCP stream: {"up": [zmtp.data, ...], "down": [...]}}; up is what goes to the port."""
    streams = {}
    for packet, field in fields(packets, "zmtp.data"):
        frames = streams.setdefault(tcp(packet, "stream"), {"up": [], "down": []})
        frames["up" if int(tcp(packet, "dstport")) == port else "down"].append(octets(field))
    return streams


def data_from_boxes(packets):
    """The zmtp.data of the TCP streams in which there are CURVE boxes, as [(frame, octets)]."""
    boxed = {tcp(packet, "stream") for packet, _ in fields(packets, "zmtp.curvezmq.decrypted")}
    return [(number(packet), octets(field)) for packet, field in fields(packets, "zmtp.data")
            if tcp(packet, "stream") in boxed]


def data_from_tokens(packets):
    """The zmtp.data of frames with a sealed GSSAPI token, as [(frame, octets)]."""
    return [(number(packet), octets(field)) for packet in packets for proto in packet.findall("proto[@name='zmtp']")
            if proto.find(".//field[@name='zmtp.gssapi.decrypted']") is not None
            for field in proto.iter("field") if field.get("name") == "zmtp.data"]


def experts(packets):
    """The expert items of ZMTP, without those of a protocol within it."""
    found = []
    for packet in packets:
        for proto in packet.findall("proto[@name='zmtp']"):
            _find_experts(packet, proto, found)
    return found


def _find_experts(packet, item, found):
    for child in item:
        if child.get("name") == "_ws.expert":
            found.append(_expert(packet, child))
        elif child.tag != "proto":
            _find_experts(packet, child, found)


def _expert(packet, item):
    inner = {field.get("name"): field.get("show") for field in item.iter("field") if field is not item}
    name = next((key for key in inner if not key.startswith("_ws.expert")), "?")
    severity = SEVERITIES.get(int(inner.get("_ws.expert.severity", "0"), 0), "?")
    return Expert(number(packet), name, severity, inner.get("_ws.expert.message", ""))


def tree_at_once(packets):
    """The lines of the golden text, without columns and what only later frames tell: the same in each pass."""
    return tree(packets, [(number(packet), "", "") for packet in packets], _without_late).splitlines()


def tree(packets, columns, choose=list):
    """The golden text: for each packet its columns and, indented, the fields of ZMTP and what it called."""
    lines, packets_shown = [], 0
    for packet, (frame, protocol, info) in zip(packets, columns, strict=True):
        protos = [proto for proto in packet.findall("proto") if proto.get("name") not in BELOW]
        if "[Reassembly error, protocol TCP" in info:
            protos = []  # Wireshark 4.0 trips over some retransmissions, 4.4 does not
        # Of a bare TCP segment the columns are TCP's own, which change from version to version.
        lines.append(f"#{frame} {protocol} | {_cut(info)}" if protos else f"#{frame}")
        in_full = FRAMES_IN_FULL if packets_shown < PACKETS_IN_FULL else 0
        packets_shown += bool(protos)
        for proto in protos[:in_full]:
            lines += choose(_proto_lines(packet, proto))
        rest = [line for proto in protos[in_full:] for line in choose(_proto_lines(packet, proto))]
        if rest:
            digest = hashlib.sha256(repr(rest).encode()).hexdigest()[:16]
            lines.append(f"  {len(protos[in_full:])} more, sha256 {digest}")
    return "".join(f"{line}\n" for line in lines)


# What a frame can tell only when later ones have been seen: the answer to it, and how it all ended.
LATE = re.compile(r" *(zmtp\.response_in|zmtp\.diagnosis|zmtp\.handshake\.(result|attempt)|zmtp\.heartbeat\.)")


def _without_late(lines):
    """The lines without that, and without what hangs below it."""
    kept, depth = [], None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if depth is not None and indent > depth:
            continue
        depth = indent if LATE.match(line) else None
        if depth is None:
            kept.append(line)
    return kept


def _proto_lines(packet, proto):
    if proto.get("name") != "zmtp":
        return [f"  {proto.get('name')}"]
    lines = [f"  zmtp: {_cut(proto.get('showname'))}"]
    for child in proto:
        _add(lines, packet, child, 2)
    return lines


def _add(lines, packet, item, depth):
    indent = "  " * depth
    if item.get("name") == "_ws.expert":
        expert = _expert(packet, item)
        lines.append(f"{indent}{expert.name} [{expert.severity}]: {_cut(expert.message)}")
        return
    name = item.get("name")
    if item.tag == "proto":
        lines.append(f"{indent}{name}")  # another protocol, such as GSS-API around a token
        return
    line = f"{indent}{name}: {_text(item)}" if name else f"{indent}{_text(item)}"
    children = list(item)
    if name and children and all(child.get("name").startswith(f"{name}.") and not len(child) for child in children):
        # The bits of an octet, the halves of a version: on the same line.
        line += " {" + ", ".join(_text(child).split(" = ")[-1] for child in children) + "}"
        children = []
    lines.append(line)
    for child in children:
        _add(lines, packet, child, depth + 1)


def _text(item):
    hidden = "(hidden) " if item.get("hide") == "yes" else ""
    return hidden + _cut(item.get("showname") or item.get("show") or "")


def _cut(text):
    text = same_in_all_versions(" ".join((text or "").split()))
    return text if len(text) <= WIDTH else text[:WIDTH] + " ..."


def same_in_all_versions(text):
    """Evens out what Wireshark itself, not the plugin, writes differently in 4.0, 4.4 and 4.6; and folders of keytabs.

    * TCP's remark before our Info column: "[TCP ACKed unseen segment] ; " (4.0 only)
    * octets in a label end in "..." after 36 of them (4.0), or go on for as long as a label may be, then "…" (4.4)
    * a label too long is marked " [truncated]" (4.0) or " […]" (4.4) before its colon
    * a time below a second is "0.000262000 seconds" (4.0, 4.4) or "262.000 microseconds" (4.6)
    """
    text = re.sub(r"^(\[TCP [^]]*\] *;? *)+", "", text)
    text = re.sub(r"/\S*/(?=[^/ ]+\.keytab)", "", text)
    text = re.sub(r"([0-9.]+) (milli|micro|nano)seconds?\b", _in_seconds, text)
    text = text.replace("…", "...").replace(" [truncated]:", ":").replace(" [...]:", ":")
    return re.sub(r"\b([0-9a-f]{72})(?:[0-9a-f]+|\.\.\.)+", r"\1...", text)


def _in_seconds(match):
    exponent = {"milli": -3, "micro": -6, "nano": -9}[match[2]]
    return f"{decimal.Decimal(match[1]).scaleb(exponent):.9f} seconds"
