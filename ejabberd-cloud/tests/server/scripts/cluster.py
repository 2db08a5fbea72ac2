"""Two nodes on one store, as one server: people on both, one of them dies and comes back, the other one leaves."""

import asyncio
import sys

from checks import HOST, PATIENCE, Client, api, ask, attempt, check, main, names_with, register, until
from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.xmlstream import ET

A, B = sys.argv[1:3]
ROOM = f"den@conference.{HOST}"
SERVICE = f"pubsub.{HOST}"


def nodes(which):
    """What a node knows and whom it sees running."""
    return ask(f"nodes {which}")


def both():
    names = ask("names of nodes")
    return f"knows {names}; runs {names}"


def only(name):
    return f"knows {name}; runs {name}"


async def joined():
    check("two nodes that start at once are one cluster", nodes("a") == nodes("b") == both(), (nodes("a"), nodes("b")))
    check("each has a lease", len(names_with("/nodes/")) == 2, names_with("/nodes/"))


async def registrations():
    for round_ in range(3):
        user = f"racer{round_}"
        passwords = [f"password{n}" for n in range(10)]
        asked = [api("register", at=at, user=user, host=HOST, password=p) for at, p in zip([A, B] * 5, passwords)]
        answers = await asyncio.gather(*asked)
        winners = [password for password, answer in zip(passwords, answers) if "successfully" in str(answer)]
        check(f"of ten who register {user} at once on two nodes one wins", len(winners) == 1, answers)
        ins = [await attempt(Client(user, password=winners[0], at=at)) for at in (A, B)]
        check("and logs in on either", ins == ["in", "in"], ins)


async def heard(client, text):
    while True:
        message = await client.next_message()
        if message["body"] == text:
            return message


async def people(ann, bob):
    ann.send_message(f"bob@{HOST}", "from A to B")
    await heard(bob, "from A to B")
    bob.send_message(f"ann@{HOST}", "from B to A")
    await heard(ann, "from B to A")
    check("messages go from node to node, both ways", True)
    ann.send_presence_subscription(f"bob@{HOST}")

    async def friends():
        items = await ann.fetch_contacts()
        return items.get(f"bob@{HOST}", {}).get("subscription") == "both"

    await until(friends, "a subscription both ways")
    await ann.update_roster(f"bob@{HOST}", name="Bob", groups=["Friends"])
    shows = asyncio.Queue()
    ann.add_event_handler("changed_status", lambda presence: shows.put_nowait((presence["from"].bare, presence["show"])))
    bob.send_presence(pshow="dnd")
    while await asyncio.wait_for(shows.get(), PATIENCE) != (f"bob@{HOST}", "dnd"):
        pass
    check("presence is seen on the other node", True)


async def enter(client, nick):
    await client.plugin["xep_0045"].join_muc_wait(ROOM, nick, timeout=PATIENCE, maxstanzas=0)


async def name_of_room(client):
    return str(await client.plugin["xep_0030"].get_info(ROOM, timeout=PATIENCE))


async def room(ann, bob):
    await enter(ann, "Ann")
    form = await ann.plugin["xep_0045"].get_room_config(ROOM)
    form["type"] = "submit"
    values = form.get_values()
    values.update({"muc#roomconfig_persistentroom": True, "muc#roomconfig_roomname": "The Den"})
    form.set_values(values)
    await ann.plugin["xep_0045"].set_room_config(ROOM, form)
    await enter(bob, "Bob")
    await said_in_room(ann, bob)
    check("people of both nodes are in one room", True)


async def said_in_room(ann, bob):
    for speaker, listener in ((ann, bob), (bob, ann)):
        text = f"said by {speaker.boundjid} on {speaker.at}"
        speaker.send_message(ROOM, text, mtype="groupchat")
        await heard(listener, text)


async def publish(owner, reader, text):
    await owner.plugin["xep_0060"].publish(SERVICE, "news", id="i", payload=ET.fromstring(f'<n xmlns="urn:x">{text}</n>'))
    await reader.next_event_with(text)


async def published(ann, bob):
    await ann.plugin["xep_0060"].create_node(SERVICE, "news")
    await bob.plugin["xep_0060"].subscribe(SERVICE, "news")
    await publish(ann, bob, "published on A")
    check("what is published on one node is seen on the other", True)
    await bob.want("urn:x:mood")
    mood = ET.fromstring('<mood xmlns="urn:x:mood">happy</mood>')
    # What a client wants to hear of is known once its features have been asked for.
    for _ in range(PATIENCE):
        await ann.plugin["xep_0060"].publish(f"ann@{HOST}", "urn:x:mood", id="current", payload=mood)
        try:
            await asyncio.wait_for(bob.next_event_with("happy"), 1)
            break
        except asyncio.TimeoutError:
            pass
    else:
        check("and so is what a contact publishes", False)
    check("and so is what a contact publishes", True)


async def cut():
    """The network between the nodes breaks for a moment. One of them has to give way, and joins again."""
    ask("cut")
    await until(lambda: {nodes("a"), nodes("b")} != {both()}, "two halves")
    await until(lambda: {nodes("a"), nodes("b")} == {both()}, "one cluster")
    ins = [await attempt(Client("ann", at=at)) for at in (A, B)]
    check("nodes that were cut from each other are one cluster again", ins == ["in", "in"], ins)


class Writer:
    """Writes to somebody who is away, and notes what the server has surely taken: it answers one thing after the other."""

    def __init__(self, client, to):
        self.client, self.to, self.taken = client, to, []

    async def run(self):
        for n in range(10_000):
            text = f"{self.client.boundjid.user} {n}"
            try:
                self.client.send_message(self.to, text)
                await self.client.query('<ping xmlns="urn:xmpp:ping"/>', to=HOST)
            except (IqError, IqTimeout, ConnectionError):
                return
            self.taken.append(text)


async def killed(ann, bob):
    """A dies while people of both nodes write to somebody who is away."""
    dora = await Client("dora", at=A).login()
    writers = [Writer(client, f"carl@{HOST}") for client in (dora, bob)]
    tasks = [asyncio.create_task(writer.run()) for writer in writers]
    await until(lambda: all(len(writer.taken) >= 10 for writer in writers), "messages")
    await asyncio.to_thread(ask, "kill a")
    before = len(writers[1].taken)
    await until(lambda: len(writers[1].taken) >= before + 10, "messages after the end of a node")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    ann.abort()
    dora.abort()

    carl = await Client("carl", at=B).login()
    missing = {text for writer in writers for text in writer.taken}
    sent = len(missing)
    while missing:
        try:
            missing.discard((await asyncio.wait_for(carl.messages.get(), 20))["body"])
        except asyncio.TimeoutError:
            break
    check("no message that was taken while a node died is lost", not missing, f"{len(missing)} of {sent}")
    ann = await Client("ann", at=B).login()
    contact = ann.contacts[f"bob@{HOST}"]
    check("its people find their contacts on the other one",
          (contact["subscription"], contact["name"], contact["groups"]) == ("both", "Bob", ["Friends"]), contact)
    ann.send_message(f"bob@{HOST}", "after the end of A")
    await heard(bob, "after the end of A")
    await enter(ann, "Ann")
    check("and their rooms", "The Den" in await name_of_room(ann), await name_of_room(ann))
    await enter(bob, "Bob")
    await said_in_room(ann, bob)
    form = await ann.plugin["xep_0045"].get_room_config(ROOM)
    check("which are theirs as before", form is not None)
    await publish(ann, bob, "published after the end of A")
    check("and what they publish reaches those who have subscribed", True)
    sessions = await api("connected_users", at=B)
    check("sessions of the dead node are forgotten", sorted(sessions) == [f"{user}@{HOST}/r" for user in ("ann", "bob", "carl")], sessions)

    name = ask("names of nodes").split()[1]

    async def removed():
        return nodes("b") == only(name) and len(names_with("/nodes/")) == 1

    await until(removed, "the removal of the dead node")
    check("the dead node is removed, and so is its lease", True)
    return ann


async def comes_back(ann, bob):
    await asyncio.to_thread(ask, "start a")
    check("a node that comes back with an empty folder joins", nodes("a") == nodes("b") == both(), nodes("a"))
    dora = await Client("dora", at=A).login()
    bob.send_message(f"dora@{HOST}", "welcome")
    await heard(dora, "welcome")
    await enter(dora, "Dora")
    text = "said on A again"
    dora.send_message(ROOM, text, mtype="groupchat")
    await asyncio.gather(heard(ann, text), heard(bob, text))
    check("and its people are where the others are", True)
    ask("tables")
    check("no state is in the tables of either", True)
    return dora


async def leaves(dora, *others):
    """B is shut down, with people on it."""
    begun = asyncio.get_running_loop().time()
    await asyncio.to_thread(ask, "stop b")
    took = asyncio.get_running_loop().time() - begun
    name = ask("names of nodes").split()[0]
    left = (nodes("a"), len(names_with("/nodes/")))
    check("a node that is shut down takes its leave at once", left == (only(name), 1), (left, took))
    for other in others:
        other.abort()
    ann = await Client("ann", at=A).login()
    contact = ann.contacts[f"bob@{HOST}"]
    check("and its people find everything on the other one", contact["name"] == "Bob", contact)
    await enter(ann, "Ann")
    check("and in their rooms", "The Den" in await name_of_room(ann), await name_of_room(ann))
    await ann.logout()
    await dora.logout()


async def scenario():
    await joined()
    await register("ann", "bob", "carl", "dora")
    await registrations()
    await cut()
    ann, bob = await Client("ann", at=A).login(), await Client("bob", at=B).login()
    await people(ann, bob)
    await room(ann, bob)
    await published(ann, bob)
    ask("tables")
    ann = await killed(ann, bob)
    dora = await comes_back(ann, bob)
    await leaves(dora, ann, bob)


main(scenario, times=6)
