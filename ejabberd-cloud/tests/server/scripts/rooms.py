"""Rooms that outlive their visitors, nicknames, logs of rooms, and groups that share a roster."""

import asyncio

from checks import HOST, Client, api, ask, check, main, names_with, register, until
from slixmpp.exceptions import IqError, IqTimeout

ROOM = f"den@conference.{HOST}"


async def configure(client, **fields):
    form = await client.plugin["xep_0045"].get_room_config(ROOM)
    form["type"] = "submit"
    values = form.get_values()
    values.update({f"muc#roomconfig_{name}": value for name, value in fields.items()})
    form.set_values(values)
    await client.plugin["xep_0045"].set_room_config(ROOM, form)


async def join(client, nick):
    await client.plugin["xep_0045"].join_muc_wait(ROOM, nick, timeout=30, maxstanzas=0)


async def told(client, text):
    while True:
        message = await client.next_message()
        if message["body"] == text or message["subject"] == text:
            return message


async def rooms():
    await register("ann", "bob")
    ann, bob = await Client("ann").login(), await Client("bob").login()
    await join(ann, "Al")
    await configure(ann, persistentroom=True, roomname="The Den <&>", enablelogging=True)
    ann.plugin["xep_0045"].set_subject(ROOM, "tea")
    await join(bob, "Bo")
    ann.send_message(ROOM, 'said "in" <the> room', mtype="groupchat")
    await told(bob, 'said "in" <the> room')
    check("what is said in a room is heard", True)
    await ann.plugin["xep_0045"].set_affiliation(ROOM, "member", jid="carl@example.org")

    async def destroyed():
        return await api("muc_online_rooms", service=f"conference.{HOST}") == []

    # The process of the room ends on this node, as it does with a node. What is stored is not touched.
    await api("restart_module", host=HOST, module="mod_muc")
    await until(destroyed, "the end of the room's process")
    await join(bob, "Bo")
    info = await bob.plugin["xep_0030"].get_info(ROOM)
    check("a room comes back with its name", "The Den &lt;&amp;&gt;" in str(info), info)
    check("and as it was set", "muc_persistent" in str(info), info)
    await join(ann, "Al")
    form = await ann.plugin["xep_0045"].get_room_config(ROOM)
    check("its owner is still its owner", form is not None)
    members = await ann.plugin["xep_0045"].get_affiliation_list(ROOM, "member")
    check("and its members its members", "carl@example.org" in [str(jid) for jid in members], members)
    try:
        await configure(bob, roomname="Bob's")
        check("nobody else is", False)
    except IqError as error:
        check("nobody else is", error.condition == "forbidden", error.condition)
    return ann, bob


async def program_started_anew(ann):
    """The program has forgotten which rooms run here; that is no reason to take the room for somebody else's."""
    import os
    import signal

    before = ask("program")
    os.kill(int(before), signal.SIGKILL)
    await until(lambda: ask("program") not in ("", before), "another program")

    async def stored():
        await configure(ann, roomname="The Den, again")
        names = names_with("/muc/")
        return "The Den, again" in ask(f"object {names[0]}")

    await until(stored, "the new name")
    check("a room goes on with a program that was started anew", True)


async def two_nodes(ann):
    """Another node has stored the room: it runs there, and ends here instead of undoing what was done there."""
    names = names_with("/muc/")
    ask(f"replace {names[0]}\tThe Den, again\tThe Den, other")
    try:
        # The room may end before it answers.
        await asyncio.wait_for(configure(ann, roomname="The Den, mine!"), 5)
    except (IqError, IqTimeout, asyncio.TimeoutError):
        pass
    await until(lambda: "The Den, other" in ask(f"object {names[0]}"), "the room of the other node")
    ann.plugin["xep_0045"].leave_muc(ROOM, "Al")

    async def restored():
        await join(ann, "Al")
        return "The Den, other" in str(await ann.plugin["xep_0030"].get_info(ROOM))

    await until(restored, "the room of the other node")
    check("a room that another node has stored is taken from there", True)
    await configure(ann, roomname="The Den, at last")
    check("and can be set then", "The Den, at last" in ask(f"object {names[0]}"))


async def nicknames(ann, bob):
    service = f"conference.{HOST}"
    form = ('<query xmlns="jabber:iq:register"><x xmlns="jabber:x:data" type="submit"><field var="muc#register_roomnick"><value>{}</value>'
            "</field></x></query>")
    await ann.query(form.format("Ann of the Den"), "set", service)
    answer = str(await ann.query('<query xmlns="jabber:iq:register"/>', "get", service))
    check("a nickname is kept", "Ann of the Den" in answer, answer)
    try:
        await bob.query(form.format("Ann of the Den"), "set", service)
        check("and is nobody else's", False)
    except IqError as error:
        check("and is nobody else's", error.condition == "conflict", error.condition)
    await ann.query(form.format("Another"), "set", service)
    await bob.query(form.format("Ann of the Den"), "set", service)
    answer = str(await bob.query('<query xmlns="jabber:iq:register"/>', "get", service))
    check("until it is given up", "Ann of the Den" in answer, answer)


async def log():
    def page():
        return names_with("/muc-log/")

    found = await until(page, "a page of the log")
    check("the log of a room is a page for each day", found[0].endswith(".html") and "den" in found[0], found)
    text = await until(lambda: (text := ask(f"object {found[0]}")) and "said" in text and text, "what was said on the page")
    check("it has what was said, escaped", "said" in text and "&lt;the&gt;" in text and "<the>" not in text, text)


async def groups():
    await register("dora", "emil")
    await api("srg_create", group="team", host=HOST, label="Team", description="d", display="team")
    await api("srg_user_add", user="dora", host=HOST, group="team", grouphost=HOST)
    await api("srg_user_add", user="emil", host=HOST, group="team", grouphost=HOST)
    answer = await api("srg_list", host=HOST)
    check("a shared group is listed", answer == ["team"], answer)
    members = await api("srg_get_members", group="team", host=HOST)
    check("with its members", sorted(members) == [f"dora@{HOST}", f"emil@{HOST}"], members)
    dora = await Client("dora").login()
    emil = dora.contacts.get(f"emil@{HOST}", {})
    check("members see each other", emil.get("subscription") == "both" and emil["groups"] == ["Team"], dora.contacts)
    await api("srg_user_del", user="emil", host=HOST, group="team", grouphost=HOST)

    async def gone():
        return f"emil@{HOST}" not in await dora.fetch_contacts()

    await until(gone, "emil's leaving")
    check("until one is taken out", True)
    await api("srg_delete", group="team", host=HOST)
    answer = await api("srg_list", host=HOST)
    check("a group that was removed is gone", answer == [], answer)
    await dora.logout()


async def scenario():
    ann, bob = await rooms()
    await log()
    await nicknames(ann, bob)
    await program_started_anew(ann)
    await two_nodes(ann)
    await groups()
    await ann.plugin["xep_0045"].destroy(ROOM)
    await until(lambda: not names_with("/muc/"), "the end of the room")
    check("a room that was destroyed is gone", True)
    await asyncio.gather(ann.logout(), bob.logout())


main(scenario)
