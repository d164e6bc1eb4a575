"""DNS of services: what is answered, by which way, and that nothing sent can hurt."""

import asyncio
import random
import socket

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import pytest

from dashboard.services.dns import copying
from dashboard.services.dns.answering import Unknown, answer
from dashboard.services.dns.copying import Copies
from dashboard.services.dns.serving import serving
from redisops.services import Instance, Registration, Registry

KNOWN = {
    "orders": [
        Instance("orders", "o-1", "10.0.0.1", 80, "passing", weight=7),
        Instance("orders", "o-2", "fd00::2", 81, "passing"),
        Instance("orders", "o-3", "10.0.0.3", 82, "warning"),
        Instance("orders", "o-4", "10.0.0.4", 83, "critical"),
        Instance("orders", "o-5", "10.0.0.5", 84, "passing", suspect=True),
    ],
    "ill": [Instance("ill", "i-1", "10.1.0.1", 80, "warning")],
    "down": [Instance("down", "d-1", "10.1.0.1", 80, "critical")],
    "named": [Instance("named", "n-1", "host.example", 80, "passing")],
    "odd": [Instance("odd", "n-1", "a" * 64 + ".b", 80, "passing")],
    "many": [Instance("many", f"m-{n}", f"10.2.0.{n}", 80, "passing") for n in range(100)],
}


def find(name):
    if name == "away":
        raise Unknown
    return KNOWN.get(name)


def ask(name, kind="A", *, tcp=False, **options):
    question = dns.message.make_query(name, kind, **options)
    reply = dns.message.from_wire(answer(question.to_wire(), find, tcp=tcp))
    assert question.is_response(reply)
    return reply


def said(reply):
    return {one.to_text() for rrset in reply.answer for one in rrset}


def test_passing_instances_are_answered_for_two_seconds_and_others_where_none_passes():
    reply = ask("orders.redisops")
    assert said(reply) == {"10.0.0.1"} and reply.answer[0].ttl == 2
    assert said(ask("ORDERS.RedisOps", "AAAA")) == {"fd00::2"}
    assert said(ask("ill.redisops")) == {"10.1.0.1"}
    reply = ask("orders.redisops", "SRV")
    assert said(reply) == {
        "0 7 80 0a000001.addr.redisops.", f"0 100 81 fd{'0' * 29}2.addr.redisops.",
    }  # fmt: skip
    assert {one.to_text() for one in reply.additional[0]} <= {"10.0.0.1", "fd00::2"}
    assert said(ask("0a000001.addr.redisops")) == {"10.0.0.1"}
    assert said(ask("named.redisops")) == {"host.example."}
    assert said(ask("named.redisops", "SRV")) == {"0 100 80 host.example."}
    for name, code in {
        "nobody.redisops": dns.rcode.NXDOMAIN, "down.redisops": dns.rcode.NOERROR,
        "odd.redisops": dns.rcode.NOERROR, "away.redisops": dns.rcode.SERVFAIL,
        "example.org": dns.rcode.REFUSED, "redisops": dns.rcode.NOERROR,
    }.items():  # fmt: skip
        reply = ask(name)
        assert (name, reply.rcode(), said(reply)) == (name, code, set())


def test_more_than_eight_are_cut_and_whole_by_tcp_in_another_order_each_time():
    cut = ask("many.redisops")
    assert len(said(cut)) == 8 and cut.flags & dns.flags.TC
    whole = ask("many.redisops", tcp=True)
    assert len(said(whole)) == 100 and not whole.flags & dns.flags.TC
    orders = {tuple(one.to_text() for one in ask("many.redisops").answer[0]) for _ in range(20)}
    assert len(orders) > 1
    assert len(answer(dns.message.make_query("many.redisops", "SRV").to_wire(), find)) <= 1232
    assert len(said(ask("many.redisops", "SRV", tcp=True))) == 100


def test_nothing_that_is_sent_raises_or_gets_an_answer_that_is_larger_than_it_should_be():
    good = dns.message.make_query("many.redisops", "SRV", use_edns=0, payload=65_000).to_wire()
    rng = random.Random(53)
    loop = good[:12] + b"\xc0\x0c" + b"\0\1\0\1"  # a name that points to itself
    sent = [b"", good[:11], b"\0" * 12, good + b"junk", loop, b"\xff" * 4_000, b"x" * 9_000]
    sent += [good[:n] for n in range(12, len(good))]
    for _ in range(500):
        wire = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            wire[rng.randrange(len(wire))] = rng.randrange(256)
        sent.append(bytes(wire))
    replies = [answer(wire, find) for wire in sent]
    assert max(len(reply) for reply in replies if reply) <= 1232
    assert replies[0] is replies[1] is replies[6] is None
    assert answer(answer(good, find), find) is None  # an answer is not answered
    assert replies[4][3] & 15 == dns.rcode.FORMERR


@pytest.mark.django_db(transaction=True)
async def test_it_serves_what_redis_has_by_udp_and_tcp(server, data):
    registry = Registry(server.client())
    await asyncio.to_thread(registry.register, Registration("orders", "o-1", "10.0.0.7", 80))
    copies = Copies("shop")
    question = dns.message.make_query("orders.redisops", "A")
    async with serving("127.0.0.1", 0, copies.find) as port:
        before = await dns.asyncquery.udp(question, "127.0.0.1", port=port, timeout=20)
        assert before.rcode() == dns.rcode.SERVFAIL
        await copies.look()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"\xff" * 600, ("127.0.0.1", port))
        for call in (dns.asyncquery.udp, dns.asyncquery.tcp):
            assert said(await call(question, "127.0.0.1", port=port, timeout=20)) == {"10.0.0.7"}
        await asyncio.to_thread(registry.register, Registration("mail", "m-1", "10.0.0.8", 25))
        await asyncio.to_thread(registry.drain, "orders", "o-1")
        await copies.look()
        mail = dns.message.make_query("mail.redisops", "A")
        for asked, expected in ((mail, {"10.0.0.8"}), (question, set())):
            for _ in range(400):
                found = said(await dns.asyncquery.udp(asked, "127.0.0.1", port=port, timeout=20))
                if found == expected:
                    break
                await asyncio.sleep(0.05)
            assert found == expected
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\xff\xff" + b"x" * 100)
        assert await reader.read() == b""  # more than a question may have: hung up
        writer.close()
        await copies.end()
    await server.async_client().aclose()


@pytest.mark.django_db(transaction=True)
async def test_hostile_names_hide_no_service_and_what_is_not_followed_is_not_denied(
    server, data, monkeypatch
):
    monkeypatch.setattr(copying, "MOST_SERVICES", 3)
    registry = Registry(server.client())
    data.sadd("svc:services", *(f"nobody-{n}" for n in range(50)))
    for name in ("x1", "x2", "x3"):
        await asyncio.to_thread(registry.register, Registration(name, "a", "10.0.0.7", 80))
    copies = Copies("shop")
    await copies.look()
    assert [copies.find(name)[0].address for name in ("x1", "x2", "x3")] == ["10.0.0.7"] * 3
    assert copies.find("nobody-1") is None

    await asyncio.to_thread(registry.register, Registration("a0", "a", "10.0.0.8", 80))
    await copies.look()
    assert copies.find("x3"), "who was followed first stays"
    with pytest.raises(Unknown):
        copies.find("a0")
    await copies.end()
    await server.async_client().aclose()
