"""From a question to an answer: A, AAAA and SRV of ``<service>.redisops``. No I/O.

``<hex>.addr.redisops`` is the name of an address, where SRV needs a name for one.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Sequence

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from redisops.services import Instance

ZONE = dns.name.from_text("redisops.")
TTL = 2
MOST_IN_UDP = 8
MOST_IN_TCP = 400
MOST_BYTES = 4_096  # of a question
PAYLOAD = 1_232
_SOA = "ns.redisops. nobody.redisops. 1 60 60 60 1"  # the last: seconds that "no" may be kept

Find = Callable[[str], Sequence[Instance] | None]
"""The routed instances of a service by its name in small letters, None of one that is not known;
raises ``Unknown`` while nothing is known."""


class Unknown(Exception):
    """Redis was not asked with success yet, or too long ago: SERVFAIL."""


def answer(wire: bytes, find: Find, *, tcp: bool = False) -> bytes | None:
    """The answer to a question as it came; None for what must not be answered. Never raises for
    what it was sent."""
    if len(wire) < 12 or len(wire) > MOST_BYTES or wire[2] & 0x80:
        return None  # no header, too much, or an answer: answering one may go on for ever
    try:
        question = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError, IndexError):
        return _broken(wire)
    try:
        reply = dns.message.make_response(question, our_payload=PAYLOAD)
    except (dns.exception.DNSException, ValueError):
        return _broken(wire)
    reply.flags |= dns.flags.AA
    _fill(reply, question, find, MOST_IN_TCP if tcp else MOST_IN_UDP)
    most = 65_535 if tcp else max(512, min(question.payload or 512, PAYLOAD))
    try:
        return reply.to_wire(max_size=most)
    except dns.exception.TooBig:
        return _cut(question)


def _fill(reply: dns.message.Message, question: dns.message.Message, find: Find, most: int) -> None:
    if question.opcode() != dns.opcode.QUERY:
        reply.set_rcode(dns.rcode.NOTIMP)
        return
    if len(question.question) != 1:
        reply.set_rcode(dns.rcode.FORMERR)
        return
    asked = question.question[0]
    if asked.rdclass != dns.rdataclass.IN or not asked.name.is_subdomain(ZONE):
        reply.flags &= ~dns.flags.AA
        reply.set_rcode(dns.rcode.REFUSED)
        return
    name = _text(asked.name)
    if (address := _address_of(name)) is not None:
        _add_addresses(reply, asked.name, [address], asked.rdtype)
    elif name:
        try:
            found = find(name)
        except Unknown:
            reply.flags &= ~dns.flags.AA
            reply.set_rcode(dns.rcode.SERVFAIL)
            return
        if found is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        else:
            _add(reply, asked, _shuffled(found), most)
    if not reply.answer:
        reply.authority.append(dns.rrset.from_text(ZONE, 1, "IN", "SOA", _SOA))


def _add(
    reply: dns.message.Message,
    asked: dns.rrset.RRset,
    found: Sequence[Instance],
    most: int,
) -> None:
    if asked.rdtype == dns.rdatatype.SRV:
        if len(found) > most:
            reply.flags |= dns.flags.TC
        lines, glue = [], []
        for one in found[:most]:
            ip = _ip(one.address)
            target = dns.name.from_text(one.address) if ip is None else _name_of(ip)
            lines.append(f"0 {one.weight} {one.port} {target.to_text()}")
            if ip is not None:
                glue.append((target, ip))
        if lines:
            reply.answer.append(dns.rrset.from_text(asked.name, TTL, "IN", "SRV", *lines))
        for name, ip in dict(glue).items():
            kind = "A" if ip.version == 4 else "AAAA"
            reply.additional.append(dns.rrset.from_text(name, TTL, "IN", kind, str(ip)))
        return
    addresses = [ip for one in found if (ip := _ip(one.address)) is not None]
    if addresses:
        _add_addresses(reply, asked.name, addresses, asked.rdtype, most)
    elif found and asked.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
        # Known by name alone: one of them, as a name may have one other name only.
        other = dns.name.from_text(found[0].address).to_text()
        reply.answer.append(dns.rrset.from_text(asked.name, TTL, "IN", "CNAME", other))


def _add_addresses(
    reply: dns.message.Message,
    name: dns.name.Name,
    addresses: Sequence[ipaddress.IPv4Address | ipaddress.IPv6Address],
    kind: dns.rdatatype.RdataType,
    most: int = 1,
) -> None:
    version = {dns.rdatatype.A: 4, dns.rdatatype.AAAA: 6}.get(kind)
    texts = list(dict.fromkeys(str(one) for one in addresses if one.version == version))
    if len(texts) > most:
        reply.flags |= dns.flags.TC
    if texts:
        word = "A" if version == 4 else "AAAA"
        reply.answer.append(dns.rrset.from_text(name, TTL, "IN", word, *texts[:most]))


def _shuffled(found: Sequence[Instance]) -> list[Instance]:
    """In a random order; passing ones, others that get traffic only where none is passing."""
    usable = [one for one in found if one.is_routed and _is_nameable(one.address)]
    passing = [one for one in usable if one.state == "passing"] or usable
    return random.sample(passing, len(passing))


def _is_nameable(address: str) -> bool:
    if _ip(address) is not None:
        return True
    try:
        dns.name.from_text(address)
    except (dns.exception.DNSException, ValueError):
        return False
    return True


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _text(name: dns.name.Name) -> str:
    """What is before the zone, in small letters; "" for the zone itself."""
    inner = name.relativize(ZONE)
    return b".".join(inner.labels).decode("latin-1").lower()


def _name_of(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> dns.name.Name:
    return dns.name.from_text(f"{ip.packed.hex()}.addr.redisops.")


def _address_of(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    digits, _, rest = name.partition(".")
    if rest != "addr" or len(digits) not in (8, 32):
        return None
    try:
        return ipaddress.ip_address(bytes.fromhex(digits))
    except ValueError:
        return None


def _cut(question: dns.message.Message) -> bytes:
    """An empty answer that says: ask by TCP."""
    reply = dns.message.make_response(question, our_payload=PAYLOAD)
    reply.flags |= dns.flags.TC
    return reply.to_wire()


def _broken(wire: bytes) -> bytes:
    """FORMERR, with nothing of the question but its id."""
    return wire[:2] + bytes([0x80 | (wire[2] & 0x79), dns.rcode.FORMERR]) + bytes(8)
