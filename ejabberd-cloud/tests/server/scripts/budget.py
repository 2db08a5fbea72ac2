"""How many requests each action takes of the stores, beside how many it may; and what a publication takes."""

import asyncio
import collections
import statistics
import sys
import time

from checks import HOST, Client, api, ask, check, main, register
from slixmpp.xmlstream import ET
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

CACHES = sys.argv[2:]
SERVICE = f"pubsub.{HOST}"
ROOM = f"den@conference.{HOST}"
# Which of the columns below this node is: it keeps what it has read in ejabberd, in memcached, in both, or not at all.
COLUMN = [("-", "-"), ("ejabberd", "-"), ("-", "memcached"), ("ejabberd", "memcached")].index(tuple(CACHES))
HAS_MEMCACHED = CACHES[1] == "memcached"
# What a study of this design came to, without any cache and with ejabberd's. No budget below is larger, but one: with memcached
# alone, whether a room is somebody's contact is asked once for each of them.
STUDY = {
    "log in, nobody's contact, silently": (9, 5),
    "become contacts of each other": (121, 61),
    "message to somebody online": (2, 0),
    "another presence": (8, 2),
    "make a room": (16, 3),
    "message in a room, alone": (2, 0),
    "publish of oneself again": (16, 10),
    "publish to a node": (11, 8),
    "message to somebody away": (4, 2),
    "log in, with 3 messages and a contact": (64, 29),
}
# What they take, and may take at most: where several processes ask for one thing at the same time, that is more than once.
BUDGET = {
    "register": (5, 5, 4, 4),
    "log in, nobody's contact, silently": (9, 5, 5, 5),
    "be there for the first time": (24, 12, 10, 8),
    "become contacts of each other": (121, 61, 52, 61),
    "set a contact": (10, 5, 5, 5),
    "read the contacts": (5, 1, 2, 1),
    "remove a contact": (10, 5, 5, 5),
    "message to somebody online": (2, 0, 0, 0),
    "another presence": (7, 2, 2, 2),
    "set private data": (3, 1, 1, 1),
    "read private data": (3, 1, 1, 1),
    "set a vCard": (4, 2, 2, 2),
    "read somebody's vCard": (3, 1, 1, 1),
    "block somebody": (10, 6, 5, 5),
    "unblock him": (9, 4, 3, 3),
    "make a room": (16, 3, 4, 3),
    "set it up": (11, 1, 1, 1),
    "message in a room, alone": (2, 0, 0, 0),
    "join a room": (20, 1, 3, 1),
    "message in a room of two": (3, 0, 0, 0),
    "leave a room": (6, 0, 0, 0),
    "destroy a room": (5, 1, 1, 1),
    "publish of oneself, the first time": (22, 18, 14, 14),
    "publish of oneself again": (12, 8, 5, 5),
    "make a node": (10, 8, 8, 8),
    "subscribe to a node": (10, 8, 7, 7),
    "publish to a node, the first time": (11, 8, 6, 6),
    "publish to a node": (10, 7, 4, 4),
    "read three items": (8, 6, 5, 5),
    "take an item back": (10, 7, 4, 4),
    "unsubscribe from a node": (9, 6, 5, 5),
    "remove a node": (18, 16, 11, 11),
    "log out": (9, 4, 4, 3),
    "message to somebody away": (4, 2, 1, 1),
    "log in, with 3 messages and a contact": (46, 16, 12, 10),
    "log in, with a contact": (36, 11, 7, 3),
    "read when somebody was there": (1, 1, 1, 1),
    "remove a person": (75, 70, 45, 45),
}
# Dollars at Amazon's prices in US East: for 1,000 requests of each kind, and for a machine hour of SimpleDB.
PRICES = {"GetObject": 0.0004, "HeadObject": 0.0004, "PutObject": 0.005, "ListObjectsV2": 0.005, "DeleteObjects": 0.005,
          "DeleteObject": 0.0}
MACHINE_HOUR = 0.14
# How many requests of a publication may wait for each other, with memcached in front.
MOST_STEPS = 3
rows = []
# The clients that are logged in.
online = []


async def told(what):
    """What the test says. This side goes on meanwhile: its clients may have something to answer."""
    return await asyncio.to_thread(ask, what)


async def settle():
    """Waits until nothing is left to be done: no client has anything on its way or to answer, and the server is at rest."""
    while True:
        before = [client.heard() for client in online]
        await asyncio.gather(*[client.settled() for client in online])
        await told("quiet")
        await asyncio.gather(*[client.settled() for client in online])
        if [client.heard() for client in online] == before:
            return


async def cost(action, work):
    """Does it, and counts until nothing is left to be done. What is sent may be sent as soon as `work` is called."""
    await told("count")
    result = await work()
    await settle()
    fields = [field.split(" ") for field in (await told("counted")).split("\t")]
    usage = int(fields.pop()[1]) / 1e10
    operations = {name.split(":")[1]: int(count) for name, count in fields}
    requests = sum(operations.values())
    dollars = usage * MACHINE_HOUR + sum(PRICES[name] * count / 1000 for name, count in operations.items() if name in PRICES)
    kinds = " ".join(f"{name}:{count}" for name, count in sorted(operations.items()))
    rows.append((action, requests, kinds))
    study = STUDY.get(action, ("", ""))[min(COLUMN, 1)]
    print(f"{action:38} {requests:8} {study:>5} {usage:.7f} {1e6 * dollars:11.2f}  {kinds}")
    return result


async def heard(client, text):
    while True:
        message = await client.next_message()
        if message["body"] == text:
            return message


async def both(one, other):
    """Each is told that the other is there."""
    came = asyncio.gather(one.until_present(other), other.until_present(one))
    one.send_presence_subscription(str(other.boundjid.bare))
    await came


class Person(Client):
    """A client that tells who is there, and when it has nothing to wait for.

    An answer to the request of an acknowledgement (XEP-0198) comes behind all that the server had sent before, and when the
    server is done with all that it had got before.
    """

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        # Its own requests would be answered, too.
        self.register_plugin("xep_0198", {"allow_resume": False, "window": 1 << 30})
        self.waiting = collections.deque()
        self.register_handler(Callback("acknowledgement", MatchXPath("{urn:xmpp:sm:3}a"), self._acknowledged))
        self.present = asyncio.Queue()
        self.add_event_handler("presence_available", self.present.put_nowait)

    def _acknowledged(self, _answer):
        if self.waiting:
            self.waiting.popleft().set_result(None)

    def heard(self):
        """How many stanzas have come."""
        return self.plugin["xep_0198"].handled

    async def settled(self):
        await self.waiting_queue.join()
        answer = asyncio.get_running_loop().create_future()
        self.waiting.append(answer)
        self.plugin["xep_0198"].request_ack()
        await asyncio.wait_for(answer, 60)

    async def login(self):
        await super().login()
        online.append(self)
        return self

    async def logout(self):
        online.remove(self)
        await super().logout()

    async def until_present(self, other):
        while True:
            presence = await asyncio.wait_for(self.present.get(), 60)
            if presence["from"].bare == other.boundjid.bare:
                return

    async def say(self, to, text):
        self.send_message(to.boundjid.bare, text)
        await heard(to, text)


def payload(text):
    element = ET.Element("{urn:x}n")
    element.text = text
    return element


PRIVATE = '<query xmlns="jabber:iq:private"><x xmlns="a:b">{}</x></query>'


async def people(ann, bob):
    await cost("log in, nobody's contact, silently", lambda: ann.login())
    await bob.login()

    async def appear():
        ann.send_presence()
        await ann.until_present(ann)

    await cost("be there for the first time", lambda: appear())
    await cost("become contacts of each other", lambda: both(ann, bob))
    await cost("set a contact", lambda: ann.update_roster("carl@example.org", name="Carl", groups=["g"]))
    await cost("read the contacts", lambda: ann.fetch_contacts())
    await cost("remove a contact", lambda: ann.del_roster_item("carl@example.org"))
    await cost("message to somebody online", lambda: ann.say(bob, "hello"))
    await cost("another presence", lambda: appear())
    await cost("set private data", lambda: ann.query(PRIVATE.format("1"), "set"))
    await cost("read private data", lambda: ann.query(PRIVATE.format("")))
    card = ann.plugin["xep_0054"].make_vcard()
    card["FN"] = "Ann"
    await cost("set a vCard", lambda: ann.plugin["xep_0054"].publish_vcard(card))
    await cost("read somebody's vCard", lambda: bob.plugin["xep_0054"].get_vcard(f"ann@{HOST}"))
    await cost("block somebody", lambda: ann.plugin["xep_0191"].block(["x@example.org"]))
    await cost("unblock him", lambda: ann.plugin["xep_0191"].unblock(["x@example.org"]))


async def rooms(ann, bob):
    muc = ann.plugin["xep_0045"]

    async def join(client, nick):
        await client.plugin["xep_0045"].join_muc_wait(ROOM, nick, timeout=60, maxstanzas=0)

    async def say(text, *others):
        ann.send_message(ROOM, text, mtype="groupchat")
        await asyncio.gather(*[heard(client, text) for client in (ann, *others)])

    async def set_up():
        form = await muc.get_room_config(ROOM)
        form["type"] = "submit"
        values = form.get_values()
        values["muc#roomconfig_roomname"] = "The Den"
        form.set_values(values)
        await muc.set_room_config(ROOM, form)

    async def leave():
        gone = asyncio.get_running_loop().create_future()
        ann.add_event_handler(f"muc::{ROOM}::got_offline", lambda _: gone.done() or gone.set_result(None))
        bob.plugin["xep_0045"].leave_muc(ROOM, "Bo")
        await asyncio.wait_for(gone, 60)

    await cost("make a room", lambda: join(ann, "Al"))
    await cost("set it up", lambda: set_up())
    await cost("message in a room, alone", lambda: say("one"))
    await cost("join a room", lambda: join(bob, "Bo"))
    await cost("message in a room of two", lambda: say("two", bob))
    await cost("leave a room", lambda: leave())
    await cost("destroy a room", lambda: muc.destroy(ROOM))


async def published(ann, bob):
    await bob.want("urn:x:mood")
    own, reader = ann.plugin["xep_0060"], bob.plugin["xep_0060"]

    async def mood(text):
        await own.publish(f"ann@{HOST}", "urn:x:mood", id="current", payload=payload(text))
        await bob.next_event_with(text)

    async def news(text):
        await own.publish(SERVICE, "news", id=f"i{text}", payload=payload(text))
        await bob.next_event_with(text)

    await settle()
    await cost("publish of oneself, the first time", lambda: mood("glad"))
    await cost("publish of oneself again", lambda: mood("calm"))
    await cost("make a node", lambda: own.create_node(SERVICE, "news"))
    await cost("subscribe to a node", lambda: reader.subscribe(SERVICE, "news"))
    await cost("publish to a node, the first time", lambda: news("0"))
    await cost("publish to a node", lambda: news("1"))
    await news("2")
    await settle()
    await cost("read three items", lambda: reader.get_items(SERVICE, "news"))
    await cost("take an item back", lambda: own.retract(SERVICE, "news", "i0"))
    if HAS_MEMCACHED:
        await steps("publish of oneself again", mood)
        await steps("publish to a node", news)
    await cost("unsubscribe from a node", lambda: reader.unsubscribe(SERVICE, "news"))
    await cost("remove a node", lambda: own.delete_node(SERVICE, "news"))


async def steps(action, publish):
    """How many requests of a publication wait for others; and how long it takes until the event, at 0 and at 20 ms each."""
    seen = []
    for n in range(2):
        await told("waves")
        await publish(f"step {n}")
        seen.append([wave for wave in (await told("wave")).split("\t") if wave])
        await told("waved")
        await settle()
    least = min(seen, key=len)
    print(f"{action}: {len(least)} steps: {' / '.join(least)}")
    check(f"{action}: at most {MOST_STEPS} steps", len(least) <= MOST_STEPS, seen)
    for delay in (0, 20):
        await told(f"delay {delay}")
        times = []
        for n in range(10):
            begun = time.monotonic()
            await publish(f"{delay} {n}")
            times.append(1000 * (time.monotonic() - begun))
        print(f"{action}: at {delay} ms for each request {statistics.median(times):.0f} ms until the event")
    await told("delay 0")
    await settle()


async def away(ann, bob):
    async def write(n):
        ann.send_message(f"bob@{HOST}", f"away {n}")

    async def back(person, messages):
        await person.login()
        for _ in range(messages):
            await person.next_message()
        await person.until_present(ann)

    await cost("log out", lambda: bob.logout())
    await cost("message to somebody away", lambda: write(0))
    await write(1)
    await write(2)
    await settle()
    again = Person("bob")
    await cost("log in, with 3 messages and a contact", lambda: back(again, 3))
    await again.logout()
    await settle()
    again = Person("bob")
    await cost("log in, with a contact", lambda: back(again, 0))
    await cost("read when somebody was there", lambda: api("get_last", user="ann", host=HOST))
    await again.logout()


async def scenario():
    larger = [(action, column) for action, study in STUDY.items() for column in range(4)
              if BUDGET[action][column] > study[min(column, 1)]]
    assert larger == [("make a room", 2)], larger
    print(f"{'action':38} requests study   BoxUsage per million  operations; caches: {' '.join(CACHES)}")
    # Whoever is the first finds caches that have nothing of the host.
    await register("bob")
    await settle()
    await cost("register", lambda: register("ann"))
    ann, bob = Person("ann", presence=False), Person("bob")
    await people(ann, bob)
    await rooms(ann, bob)
    await published(ann, bob)
    await away(ann, bob)
    await ann.logout()
    await settle()
    await cost("remove a person", lambda: api("unregister", user="ann", host=HOST))
    for action, requests, kinds in rows:
        most = BUDGET[action][COLUMN]
        check(f"{action}: at most {most} requests", requests <= most, f"{requests}: {kinds}")


main(scenario)
