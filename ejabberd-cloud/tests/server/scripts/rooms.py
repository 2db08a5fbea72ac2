"""Rooms that outlive their visitors, nicknames, logs of rooms, and groups that share a roster."""

import asyncio
import os
import re
import signal

from checks import HOST, PATIENCE, Client, api, ask, check, main, names_with, register, until
from slixmpp.exceptions import IqError
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

ROOM = f"den@conference.{HOST}"


async def form_with(client, **fields):
    """The form of the room's settings, with these changed."""
    form = await client.plugin["xep_0045"].get_room_config(ROOM)
    form["type"] = "submit"
    values = form.get_values()
    values.update({f"muc#roomconfig_{name}": value for name, value in fields.items()})
    form.set_values(values)
    return form


async def configure(client, **fields):
    await client.plugin["xep_0045"].set_room_config(ROOM, await form_with(client, **fields))


async def try_to_configure(client, **fields):
    """Sets the room to something, or ends it: then there is no answer."""
    form = await form_with(client, **fields)
    task = asyncio.ensure_future(client.plugin["xep_0045"].set_room_config(ROOM, form))
    # Its answer comes after the form has come.
    await client.fetch_contacts()
    await asyncio.to_thread(ask, "quiet")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def join(client, nick):
    await client.plugin["xep_0045"].join_muc_wait(ROOM, nick, timeout=30, maxstanzas=0)


async def is_gone():
    """Whether the process of the room has ended."""
    return await api("muc_online_rooms", service=f"conference.{HOST}") == []


async def end_process():
    """The process of the room ends on this node, as it does with a node. What is stored is not touched."""
    await api("restart_module", host=HOST, module="mod_muc")
    await until(is_gone, "the end of the room's process")


def stored():
    """The room as it is stored."""
    return ask(f"object {names_with('/muc/')[0]}")


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

    await end_process()
    unused = await api("rooms_unused_list", service=f"conference.{HOST}", days=0)
    check("a room that runs nowhere is among all of them", unused == [ROOM], unused)
    if ask("can fail") == "yes":
        await out_of_reach(bob)
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


async def out_of_reach(bob):
    """A room that cannot be read is no room that is not there: whoever comes would get a new one, and own it."""
    ask("refuse GetObject\t/muc/")
    bob.make_presence(pto=f"{ROOM}/Bo").send()
    await asyncio.to_thread(ask, "refused")
    await asyncio.to_thread(ask, "quiet")
    check("a room that cannot be read is not made anew", await is_gone())
    ask("mend")


async def program_started_anew(ann):
    """The program has forgotten which rooms run here; that is no reason to take the room for somebody else's. Before, a write
    was refused, after which either content may be there."""
    ask("refuse PutObject\t/muc/")
    await configure(ann, roomname="The Den, refused")
    ask("mend")
    before = ask("program")
    os.kill(int(before), signal.SIGKILL)
    await until(lambda: ask("program") not in ("", before), "another program")

    async def is_stored():
        await configure(ann, roomname="The Den, again")
        return "The Den, again" in stored()

    await until(is_stored, "the new name")
    check("a room goes on with a program that was started anew", True)


async def lost(ann, name):
    """The room is set to something: it is stored, and nobody can tell."""
    ask("lose PutObject\t/muc/")
    ask("refuse GetObject\t/muc/")
    await configure(ann, roomname=name)
    ask("mend")
    check(f"{name!r} is stored though its answer was lost", name in stored(), stored())


async def answer_lost(ann):
    """What is there then may be what the room wanted, which is no reason to take it for another node's."""
    await lost(ann, "The Den, lost")
    await try_to_configure(ann, roomname="The Den, found")
    check("a room goes on after an answer that was lost", "The Den, found" in stored(), stored())
    await configure(ann, roomname="The Den, again")


async def two_nodes(ann):
    """Another node has stored the room: it runs there, and ends here instead of undoing what was done there."""
    ask(f"replace {names_with('/muc/')[0]}\tThe Den, again\tThe Den, other")
    await try_to_configure(ann, roomname="The Den, mine!")
    check("a room that another node has stored is not overwritten", "The Den, other" in stored(), stored())
    ann.plugin["xep_0045"].leave_muc(ROOM, "Al")

    async def restored():
        await join(ann, "Al")
        return "The Den, other" in str(await ann.plugin["xep_0030"].get_info(ROOM))

    await until(restored, "the room of the other node")
    check("but taken from there", True)
    await configure(ann, roomname="The Den, again")
    check("and can be set then", "The Den, again" in stored())


async def destroyed_elsewhere(ann):
    """A room that was destroyed on another node is not written back by this one."""
    ask(f"remove {names_with('/muc/')[0]}")
    await try_to_configure(ann, roomname="The Den, back")
    check("a room that was destroyed elsewhere stays so", names_with("/muc/") == [], names_with("/muc/"))
    ann.plugin["xep_0045"].leave_muc(ROOM, "Al")
    await join(ann, "Al")


async def call_oneself(client, nick):
    """Whether somebody in the room may have this nickname there: `yes`, or the condition of the refusal."""
    answer = asyncio.get_running_loop().create_future()

    def heard(presence):
        if presence["from"] == f"{ROOM}/{nick}" and not answer.done():
            answer.set_result(presence["error"]["condition"] if presence["type"] == "error" else "yes")

    client.register_handler(Callback("nickname", MatchXPath("{jabber:client}presence"), heard))
    client.make_presence(pto=f"{ROOM}/{nick}").send()
    try:
        return await asyncio.wait_for(answer, PATIENCE)
    finally:
        client.remove_handler("nickname")


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
    check("who has a nickname may use it", await call_oneself(ann, "Another") == "yes")
    await bob.query(form.format("Ann of the Den"), "set", service)
    check("and nobody else", await call_oneself(ann, "Ann of the Den") == "conflict")
    check("one that nobody has may be used", await call_oneself(ann, "Al") == "yes")
    ask("refuse GetAttributes\tn|")
    check("but none while it cannot be known whose it is", await call_oneself(ann, "Another") == "conflict")
    ask("mend")
    answer = str(await bob.query('<query xmlns="jabber:iq:register"/>', "get", service))
    check("until it is given up", "Ann of the Den" in answer, answer)
    await bob.query('<query xmlns="jabber:iq:register"><remove/></query>', "set", service)
    answer = str(await bob.query('<query xmlns="jabber:iq:register"/>', "get", service))
    check("who gives up his nickname has none", "Ann of the Den" not in answer, answer)
    await ann.query(form.format("Ann of the Den"), "set", service)
    check("and it is free again", await call_oneself(ann, "Ann of the Den") == "yes")


async def log(ann, bob):
    def page():
        return names_with("/muc-log/")

    muc = ann.plugin["xep_0045"]
    await muc.set_role(ROOM, "Bo", "none", reason="too <loud>")
    await join(bob, "Bo")
    await muc.set_affiliation(ROOM, "outcast", jid=f"bob@{HOST}", reason="far too loud")
    await muc.set_affiliation(ROOM, "none", jid=f"bob@{HOST}")
    await join(bob, "Bo")
    check("who has one nickname takes another", await call_oneself(bob, "Bob") == "yes")
    bob.plugin["xep_0045"].leave_muc(ROOM, "Bob", msg="enough of it")
    found = await until(page, "a page of the log")
    check("the log of a room is a page for each day", found[0].endswith(".html") and "den" in found[0], found)
    text = await until(lambda: (text := ask(f"object {found[0]}")) and "enough of it" in text and text, "what happened last on the page")
    check("it has what was said, escaped", "said" in text and "&lt;the&gt;" in text and "<the>" not in text, text)
    lines = [re.sub("</?bdi>", "", line.split("</a> ")[1]) for line in text.split("</p>") if "</a> " in line]
    happened = [
        "The log begins", "Al has set the subject: tea", "Bo has come", "Bo was made to leave (too &lt;loud&gt;)",
        "Bo was banned (far too loud)", "Bo is called Bob from here on", "Bob has gone (enough of it)", "The room is started",
    ]
    for event in happened:
        check(f"and {event!r}", event in lines, lines)
    await join(bob, "Bo")


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
    member = [ask(f"probe member/{user}/team") for user in ("dora", "emil")]
    check("who is a member is so for rules of access, too", member == ["true", "false"], member)
    await api("srg_delete", group="team", host=HOST)
    answer = await api("srg_list", host=HOST)
    check("a group that was removed is gone", answer == [], answer)
    await dora.logout()


async def destroyed(ann):
    """A room that was destroyed here is another node's that has made it since, even if it is just as it was here."""
    # Not as one is that is made now.
    await configure(ann, roomname="The Den, kept")
    key, before = names_with("/muc/")[0], stored()
    ask(f"copy {key}\tkept")
    await ann.plugin["xep_0045"].destroy(ROOM)
    await until(lambda: not names_with("/muc/"), "the end of the room")
    check("a room that was destroyed is gone", True)
    if ask("can fail") == "no":
        return
    await until(is_gone, "the end of the room's process")
    ask("hold PutObject\t/muc/")
    ann.make_presence(pto=f"{ROOM}/Al").send()
    await asyncio.to_thread(ask, "held")
    ask(f"copy kept\t{key}")
    ask("release")
    await asyncio.to_thread(ask, "quiet")
    check("one that another node has made meanwhile is not overwritten", stored() == before, (stored(), before))


async def scenario():
    ann, bob = await rooms()
    await log(ann, bob)
    await nicknames(ann, bob)
    await program_started_anew(ann)
    if ask("can fail") == "yes":
        await answer_lost(ann)
        await lost(ann, "The Den, again")
    await two_nodes(ann)
    await destroyed_elsewhere(ann)
    await groups()
    await destroyed(ann)
    await asyncio.gather(ann.logout(), bob.logout())


main(scenario)
