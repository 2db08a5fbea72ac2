"""Messages that wait are delivered at least once, whatever ends while they are; and once, where no process was killed."""

import asyncio
import time

from checks import HOST, PATIENCE, Client, api, ask, check, emptied, main, names_with, register, until
from slixmpp.xmlstream import ET


class Session(Client):
    """A session with XEP-0198. One that is mute receives what comes, and acknowledges none of it."""

    def __init__(self, user, resource="r", mute=False, **others):
        super().__init__(user, resource, **others)
        self.register_plugin("xep_0198")
        self.stream = self.plugin["xep_0198"]
        self.acknowledge, self.mute = self.stream.send_ack, mute
        self.stream.send_ack = lambda: self.mute or self.acknowledge()

    async def logout(self):
        # What it has not acknowledged by now it has not received, for the server.
        self.stream.send_ack()
        await super().logout()

    async def cut(self):
        """The connection ends without a word."""
        gone = asyncio.get_running_loop().create_future()
        self.add_event_handler("disconnected", lambda _: gone.done() or gone.set_result(None), disposable=True)
        self.abort()
        await asyncio.wait_for(gone, PATIENCE)

    async def resume(self):
        back = asyncio.get_running_loop().create_future()
        self.add_event_handler("session_resumed", lambda _: back.done() or back.set_result(None), disposable=True)
        self.connect(self.at, self.port)
        await asyncio.wait_for(back, PATIENCE)


async def quiet():
    """Waits until the server has nothing left to do. This side goes on meanwhile, as it may have to answer."""
    await asyncio.to_thread(ask, "quiet")


def stored(user):
    return [name for name in names_with(f"/{user}@") if "/offline/" in name]


class Writer:
    """Writes to somebody, who is away first."""

    def __init__(self, client, to, count=3):
        self.client, self.to, self.count = client, to, count
        self.texts = [f"to {to} {n}" for n in range(count)]
        self.said = 0

    async def wait(self):
        """Has its messages wait for him, and gives their names in the store."""
        await register(self.to)
        for text in self.texts:
            self.client.send_message(f"{self.to}@{HOST}", text)
        await until(lambda: len(stored(self.to)) == self.count, "messages that wait")
        return stored(self.to)

    async def came(self, session):
        return [(await session.next_message())["body"] for _ in self.texts]

    async def no_more(self, session):
        """What comes before a message that is sent now."""
        self.said += 1
        last, before = f"now {self.said}", []
        self.client.send_message(session.boundjid.full, last)
        while (body := (await session.next_message())["body"]) != last:
            before.append(body)
        return before

    async def gone(self, what):
        """Its messages leave the store, and do not come again."""
        check(f"{what}: they leave the store", await emptied(lambda: stored(self.to)) == [], stored(self.to))
        session = await Session(self.to).login()
        again = await self.no_more(session)
        check(f"{what}: and do not come again", again == [], again)
        await session.logout()

    async def come_once(self, what):
        """Its messages come to a client that logs in now, and to none after that."""
        session = await Session(self.to).login()
        got = await self.came(session) + await self.no_more(session)
        check(f"{what}: they come once", got == self.texts, got)
        await session.logout()
        await self.gone(what)


async def count_of(user):
    return (await api("get_offline_count", user=user, host=HOST))["value"]


async def is_away(user):
    """Waits until the server knows of no session."""
    async def none():
        return await api("user_resources", user=user, host=HOST) == []
    await until(none, f"{user}'s absence")


async def received(ann):
    """They are removed when the client says that it has received them: all of them at once."""
    ben = Writer(ann, "ben")
    names = await ben.wait()
    session = await Session("ben", mute=True).login()
    got = await ben.came(session)
    check("messages come in their order", got == ben.texts, got)
    await quiet()
    check("what was written and not acknowledged stays in the store", stored("ben") == names, stored("ben"))
    check("and does not count as waiting", await count_of("ben") == 0)
    other = await Session("ben", "other").login()
    again = await ben.no_more(other)
    check("another client is not given what the first one is receiving", again == [], again)
    items = await other.plugin["xep_0030"].get_items(f"ben@{HOST}", "http://jabber.org/protocol/offline")
    check("nor a list of it", "<item " not in str(items), items)
    session.send_presence(ppriority=-1)
    session.send_presence(ppriority=0)
    again = await ben.no_more(session)
    check("nor the same client, with another presence", again == [], again)
    ask("count")
    session.mute = False
    session.stream.send_ack()
    left = await emptied(lambda: stored("ben"))
    removals = [field for field in ask("counted").split("\t") if "Delete" in field]
    # What is asked of a real server is not counted.
    expected = ["S3:DeleteObjects 1"] if ask("can fail") == "yes" else []
    check("what was acknowledged leaves the store by one request", (left, removals) == ([], expected), (left, removals))
    await asyncio.gather(session.logout(), other.logout())
    await ben.gone("acknowledged messages")


async def read_before(ann):
    """A second client logs in, and reads what waits, while the first one acknowledges it."""
    kim = Writer(ann, "kim")
    await kim.wait()
    session = await Session("kim", mute=True).login()
    await kim.came(session)
    await quiet()
    ask("hold GetObject\t/offline/")
    other = Session("kim", "other")
    login = asyncio.create_task(other.login())
    await asyncio.to_thread(ask, "held")
    session.mute = False
    session.stream.send_ack()
    check("what a second client is about to be given leaves the store", await emptied(lambda: stored("kim")) == [], stored("kim"))
    ask("release")
    await login
    again = await kim.no_more(other)
    check("and it is not given it", again == [], again)
    await asyncio.gather(session.logout(), other.logout())
    ask("mend")


async def elsewhere(ann):
    """A client that looks at messages without being given them receives what is given to another one, since it comes first."""
    leo = Writer(ann, "leo")
    names = await leo.wait()
    first = await Session("leo", presence=False, mute=True).login()
    await first.plugin["xep_0030"].get_items(f"leo@{HOST}", "http://jabber.org/protocol/offline")
    first.send_presence(ppriority=5)
    again = await leo.no_more(first)
    check("who asks for a list is given no messages", again == [], again)
    other = await Session("leo", "other").login()
    got = await leo.came(first)
    check("what another client is given comes to that with the highest priority", got == leo.texts, got)
    await quiet()
    check("and stays in the store until that one has acknowledged it", stored("leo") == names, stored("leo"))
    first.mute = False
    first.stream.send_ack()
    check("and no longer", await emptied(lambda: stored("leo")) == [], stored("leo"))
    await asyncio.gather(first.logout(), other.logout())
    await leo.gone("given to another one")


async def process_killed(ann):
    """The process of a session ends without having done anything more."""
    cam = Writer(ann, "cam")
    names = await cam.wait()
    session = await Session("cam", mute=True).login()
    await cam.came(session)
    check("a session's process is killed", ask("probe end/cam") == "1")
    await is_away("cam")
    session.abort()
    check("what it was delivering is in the store", stored("cam") == names, stored("cam"))
    check("and counts as waiting", await count_of("cam") == 3)
    await cam.come_once("after the end of a process")


async def left_unacknowledged(ann):
    """A client logs out, and has acknowledged nothing."""
    deb = Writer(ann, "deb")
    names = await deb.wait()
    session = await Session("deb", mute=True).login()
    await deb.came(session)
    await session.logout()
    await is_away("deb")
    await quiet()
    check("what a client leaves unacknowledged waits where it was", stored("deb") == names, stored("deb"))
    check("and counts once", await count_of("deb") == 3)
    await deb.come_once("after a departure")


async def resumed(ann):
    """The connection is cut, and the session goes on with another one."""
    eli = Writer(ann, "eli")
    names = await eli.wait()
    session = await Session("eli", mute=True).login()
    await eli.came(session)
    await quiet()
    await session.cut()
    await quiet()
    check("what a client had received when its connection was cut is in the store", stored("eli") == names, stored("eli"))
    session.mute = False
    await session.resume()
    again = await eli.no_more(session)
    check("and does not come again when it goes on, and says so", again == [], again)
    check("but leaves the store", await emptied(lambda: stored("eli")) == [], stored("eli"))
    await session.logout()
    await eli.gone("after a resumption")

    flo = Writer(ann, "flo")
    names = await flo.wait()
    session = await Session("flo", mute=True).login()
    await flo.came(session)
    await quiet()
    await session.cut()
    # As if it had received nothing.
    session.stream.handled = 0
    await session.resume()
    got = await flo.came(session) + await flo.no_more(session)
    check("what a client has not received comes when it goes on", got == flo.texts, got)
    await quiet()
    check("and stays until it is acknowledged then", stored("flo") == names, stored("flo"))
    other = await Session("flo", "other").login()
    again = await flo.no_more(other)
    check("and another client is not given it, though the process is another one", again == [], again)
    await other.logout()
    session.mute = False
    session.stream.send_ack()
    check("and no longer", await emptied(lambda: stored("flo")) == [], stored("flo"))
    await session.logout()
    await flo.gone("after a resumption of nothing")


async def dropped(ann):
    """Nothing stays of what ejabberd does not deliver by its rules."""
    await register("gus")
    message = ann.make_message(f"gus@{HOST}", "soon over")
    message.append(ET.fromstring('<x xmlns="jabber:x:expire" seconds="1"/>'))
    message.send()
    await until(lambda: stored("gus"), "a message")
    expiry = int(stored("gus")[0].rsplit("-", 1)[1])
    await until(lambda: time.time() * 1_000_000 > expiry, "its expiry")
    session = await Session("gus").login()
    check("what has expired leaves the store when somebody logs in", await emptied(lambda: stored("gus")) == [], stored("gus"))
    again = [(await session.next_message())["body"] for _ in range(session.messages.qsize())]
    check("and does not come", again == [], again)
    await session.logout()
    await is_away("gus")

    ann.send_message(f"gus@{HOST}", "unwanted")
    await until(lambda: stored("gus"), "a message")
    session = await Session("gus", presence=False).login()
    await session.plugin["xep_0191"].block([f"ann@{HOST}"])
    session.send_presence()
    check("what is blocked leaves the store", await emptied(lambda: stored("gus")) == [], stored("gus"))
    await session.plugin["xep_0191"].unblock([f"ann@{HOST}"])
    ann.send_message(f"gus@{HOST}", "wanted")
    check("and does not come", (await session.next_message())["body"] == "wanted")
    await session.logout()


async def refused_elsewhere(ann):
    """One of two clients that are written to refuses a message, while the other one has not acknowledged it yet."""
    mia = Writer(ann, "mia")
    names = await mia.wait()
    # It takes none of what waits, and counts as much as the one that does.
    picky = await Session("mia", "picky", presence=False).login()
    await picky.plugin["xep_0030"].get_items(f"mia@{HOST}", "http://jabber.org/protocol/offline")
    for what in (f'<list name="picky"><item type="jid" value="ann@{HOST}" action="deny" order="1"><message/></item></list>',
                 '<active name="picky"/>'):
        request = picky.make_iq_set()
        request.append(ET.fromstring(f'<query xmlns="jabber:iq:privacy">{what}</query>'))
        await request.send()
    picky.send_presence()
    mute = await Session("mia", mute=True).login()
    got = await mia.came(mute)
    check("one of two clients is written to", (got, picky.messages.qsize()) == (mia.texts, 0), got)
    await quiet()
    check("what the other one refuses stays in the store until it is acknowledged", stored("mia") == names, stored("mia"))
    mute.mute = False
    mute.stream.send_ack()
    check("and no longer", await emptied(lambda: stored("mia")) == [], stored("mia"))
    await asyncio.gather(picky.logout(), mute.logout())
    await mia.gone("refused by another one")


async def many(ann):
    """More than are delivered at once: a third of the 300 that a session of this node may have unacknowledged before it ends."""
    hal = Writer(ann, "hal", 350)
    await hal.wait()
    session = await Session("hal", mute=True).login()
    first = [(await session.next_message())["body"] for _ in range(100)]
    await quiet()
    again = await hal.no_more(session)
    check("no more come at once than a session may have unacknowledged", (first, again) == (hal.texts[:100], []), again[:3])
    session.mute = False
    session.stream.send_ack()
    rest = [(await session.next_message())["body"] for _ in range(250)]
    check("and the others once these are received", rest == hal.texts[100:], rest[:3])
    check("and all leave the store", await emptied(lambda: stored("hal")) == [], len(stored("hal")))
    await session.logout()
    await hal.gone("many")


async def node_killed(ann):
    """The node is killed: while one person has messages that are not acknowledged, and another one's were just taken."""
    ian, jan = Writer(ann, "ian"), Writer(ann, "jan")
    names = await ian.wait() + await jan.wait()
    await ann.logout()
    await is_away("ann")
    mute = await Session("ian", mute=True).login()
    got = await ian.came(mute)
    check("messages come to who will not acknowledge them", got == ian.texts, got)
    ask("probe die")
    victim = Session("jan")
    victim.in_or_not.add_done_callback(lambda end: end.exception())
    victim.connect(victim.at, victim.port)
    await asyncio.to_thread(ask, "died")
    check("a node dies that was about to deliver messages", victim.messages.empty())
    for session in (mute, victim):
        session.abort()
    check("all of them are in the store", stored("ian") + stored("jan") == names, stored("ian") + stored("jan"))
    await asyncio.to_thread(ask, "start")
    ann = await Client("ann").login()
    for writer in (ian, jan):
        writer.client = ann
        await writer.come_once(f"to {writer.to}, after the end of a node")
    await ann.logout()


async def scenario():
    await register("ann")
    ann = await Client("ann").login()
    await dropped(ann)
    await refused_elsewhere(ann)
    await received(ann)
    if ask("can fail") == "yes":
        await read_before(ann)
    await elsewhere(ann)
    await process_killed(ann)
    await left_unacknowledged(ann)
    await resumed(ann)
    await many(ann)
    await node_killed(ann)


main(scenario, times=6)
