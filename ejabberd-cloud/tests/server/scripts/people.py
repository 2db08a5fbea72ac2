"""Everything that people have: they log in, have contacts, write to each other, and leave."""

import asyncio

from checks import HOST, PATIENCE, Client, api, ask, attempt, check, emptied, left_of, main, names_with, register, until
from slixmpp.exceptions import IqError
from slixmpp.xmlstream import ET


async def logins():
    await register("ann", "bob")
    answer = await api("register", user="ann", host=HOST, password="other")
    check("a name that is taken is refused", "already" in str(answer), answer)
    ann = Client("ann", mechanism="SCRAM-SHA-1")
    check("a login by SCRAM-SHA-1", await attempt(ann) == "in")
    check("a login by PLAIN", await attempt(Client("ann", mechanism="PLAIN")) == "in")
    check("a wrong password is refused", await attempt(Client("ann", password="wrong")) == "refused")
    check("nobody is refused", await attempt(Client("nobody")) == "refused")
    await api("change_password", user="ann", host=HOST, newpass="new")
    check("a changed password counts at once", await attempt(Client("ann", password="new")) == "in")
    check("and the old one no more", await attempt(Client("ann")) == "refused")
    await api("change_password", user="ann", host=HOST, newpass="secret")
    people = await api("registered_users", host=HOST)
    check("people are listed", sorted(people) == ["ann", "bob"], people)
    await some_of_them()
    last = await until(lambda: seen("ann"), "last activity")
    check("last activity is kept", "status" in last and last["timestamp"] > "2000", last)


async def some_of_them():
    """A list of people has a part of them, where somebody asks for one, and their number is told without it."""
    await register("carl1", "carl2", "carl3")
    everybody = ask("probe people").split()
    check("all people are listed", sorted(everybody) == ["ann", "bob", "carl1", "carl2", "carl3"], everybody)
    part = ask("probe people/from/2/to/4").split()
    check("a list goes from one of them to another", part == everybody[1:4], (part, everybody))
    part = ask("probe people/offset/3/limit/2").split()
    check("and has as many as it may, from one of them on", part == everybody[2:4], (part, everybody))
    part = ask("probe people/prefix/carl/limit/2/offset/2").split()
    check("also of those whose names begin alike", part == [name for name in everybody if "carl" in name][1:], (part, everybody))
    count = await api("stats", name="registeredusers")
    check("people are counted", count == {"stat": 5}, count)
    count = ask("probe count/carl")
    check("also those whose names begin alike", count == "3", count)


async def seen(user):
    last = await api("get_last", user=user, host=HOST)
    return last if last.get("status") not in ("NOT FOUND", "ONLINE") else None


async def contacts(ann, bob):
    ann.send_presence_subscription(f"bob@{HOST}")

    async def both():
        items = await ann.fetch_contacts()
        return items.get(f"bob@{HOST}", {}).get("subscription") == "both"

    await until(both, "a subscription both ways")
    check("people become contacts of each other", True)
    await ann.update_roster("carl@example.org", name='Carl "é"/%|', groups=["Friends & more", "b"])
    await ann.update_roster("dora@example.org", name="Dora", groups=["b"])
    await ann.update_roster("dora@example.org", name="Dora", groups=[])
    await ann.update_roster("eve@example.org", name="Eve")
    await ann.del_roster_item("eve@example.org")
    await ann.logout()
    ann = await Client("ann").login()
    carl = ann.contacts["carl@example.org"]
    check("a contact has its name and groups after a new login",
          carl["name"] == 'Carl "é"/%|' and sorted(carl["groups"]) == ["Friends & more", "b"], carl)
    check("a group that was taken away is gone", ann.contacts["dora@example.org"]["groups"] == [], ann.contacts)
    check("a contact that was removed is gone", "eve@example.org" not in ann.contacts, ann.contacts)
    ann.send_message(f"bob@{HOST}", "hello")
    message = await bob.next_message()
    check("a message arrives", message["body"] == "hello", message)
    return ann


async def version():
    """Who has the contacts of the newest version is not sent them again."""
    await register("vic")
    vic = await Client("vic").login()

    async def contacts_since(client, version):
        answer = await client.query(f'<query xmlns="jabber:iq:roster" ver="{version}"/>')
        query = answer.xml.find("{jabber:iq:roster}query")
        return None if query is None else (query.get("ver"), [item.get("jid") for item in query])

    first, contacts = await contacts_since(vic, "")
    check("a roster has a version before it has contacts", first and contacts == [], (first, contacts))
    answer = await contacts_since(vic, first)
    check("which is kept", answer is None, answer)
    seen = [first]
    for contact in ("x@example.org", "y@example.org"):
        await vic.update_roster(contact, name="X")
        answer = await contacts_since(vic, seen[-1])
        is_new = answer and answer[0] not in seen and contact in answer[1]
        check("a changed roster is sent, with a version that it never had", is_new, (answer, seen))
        changed = answer[0]
        seen.append(changed)
        answer = await contacts_since(vic, changed)
        check("and is sent once", answer is None, answer)
    await vic.logout()


async def requests():
    """What comes with a request for a subscription waits with it, cut to 1,024 bytes of whole characters."""
    await register("dan", "fay")
    fay = await Client("fay").login()
    fay.make_presence(pto=f"dan@{HOST}", ptype="subscribe", pstatus="x" + "é" * 1000).send()

    async def asked():
        return (await fay.fetch_contacts()).get(f"dan@{HOST}", {}).get("ask") == "subscribe"

    await until(asked, "the request")
    await until(lambda: names_with(f" dan@{HOST}|fay@{HOST}"), "the request in dan's roster")
    dan = Client("dan")
    dan.auto_authorize = None
    request = asyncio.get_running_loop().create_future()
    dan.add_event_handler("presence_subscribe", lambda presence: request.done() or request.set_result(presence))
    await dan.login()
    said = (await asyncio.wait_for(request, PATIENCE))["status"]
    check("what comes with a request is cut where a character ends", said == "x" + "é" * 511, (len(said), said[-3:]))
    await asyncio.gather(dan.logout(), fay.logout())


async def data(ann, bob):
    await ann.query('<query xmlns="jabber:iq:private"><x xmlns="a:b"><d>ü1</d></x></query>', "set")
    await ann.query('<query xmlns="jabber:iq:private"><y xmlns="c:d"/></query>', "set")
    answer = await ann.query('<query xmlns="jabber:iq:private"><x xmlns="a:b"/></query>')
    check("private data is kept", "ü1" in str(answer), answer)
    answer = await ann.query('<query xmlns="jabber:iq:private"><z xmlns="e:f"/></query>')
    check("private data that there is not is empty", "ü1" not in str(answer) and answer["type"] == "result", answer)

    card = ann.plugin["xep_0054"].make_vcard()
    card["FN"] = "Ann Äpfel"
    await ann.plugin["xep_0054"].publish_vcard(card)
    card = bob.plugin["xep_0054"].make_vcard()
    card["FN"] = "Bob Stone"
    await bob.plugin["xep_0054"].publish_vcard(card)
    answer = await bob.plugin["xep_0054"].get_vcard(f"ann@{HOST}")
    check("a vCard is seen by others", answer["vcard_temp"]["FN"] == "Ann Äpfel", answer)
    form = ('<query xmlns="jabber:iq:search"><x xmlns="jabber:x:data" type="submit"><field var="FORM_TYPE">'
            '<value>jabber:iq:search</value></field><field var="fn"><value>{}</value></field></x></query>')
    answer = str(await bob.query(form.format("ann ä*"), "set", f"vjud.{HOST}"))
    check("people are found by the beginning of their name", f">ann@{HOST}<" in answer and f">bob@{HOST}<" not in answer, answer)
    for n in range(4):
        await api("set_vcard", user=f"carl{n}", host=HOST, name="FN", content=f"Carl Moe {n}")
    answer = str(await bob.query(form.format("carl m*"), "set", f"vjud.{HOST}"))
    check("and no more than may be, which are three here", answer.count("<item") == 3, answer)
    answer = str(await bob.query(form.format("carl moe 3"), "set", f"vjud.{HOST}"))
    check("each of them is found", answer.count("<item") == 1 and f">carl3@{HOST}<" in answer, answer)


async def privacy(ann, bob):
    rule = '<item type="jid" value="bob@localhost" action="deny" order="1"><message/></item>'
    await ann.query(f'<query xmlns="jabber:iq:privacy"><list name="no bob">{rule}</list></query>', "set")
    await ann.query('<query xmlns="jabber:iq:privacy"><default name="no bob"/></query>', "set")
    answer = str(await ann.query('<query xmlns="jabber:iq:privacy"/>'))
    check("a privacy list is kept and is the default", '<default name="no bob"' in answer, answer)
    answer = str(await ann.query('<query xmlns="jabber:iq:privacy"><list name="no bob"/></query>'))
    check("its rules are as they were set", 'value="bob@localhost"' in answer and "<message" in answer, answer)
    bob.send_message(f"ann@{HOST}", "blocked")
    bob.send_presence_subscription(f"ann@{HOST}")
    refusal = await bob.next_message()
    check("who is blocked is told so", refusal["type"] == "error" and refusal["body"] == "blocked", refusal)
    try:
        await ann.query('<query xmlns="jabber:iq:privacy"><list name="no bob"/></query>', "set")
        check("the default list cannot be removed", False)
    except IqError as error:
        check("the default list cannot be removed", error.condition == "conflict", error.condition)
    await ann.query('<query xmlns="jabber:iq:privacy"><default/></query>', "set")
    await ann.query('<query xmlns="jabber:iq:privacy"><list name="no bob"/></query>', "set")
    await ann.plugin["xep_0191"].block([f"bob@{HOST}"])
    answer = await ann.plugin["xep_0191"].get_blocked()
    check("who is blocked is listed", f"bob@{HOST}" in str(answer), answer)
    await ann.plugin["xep_0191"].unblock([f"bob@{HOST}"])
    answer = await ann.plugin["xep_0191"].get_blocked()
    check("and is not once that is over", f"bob@{HOST}" not in str(answer), answer)


async def lists(ann):
    """Each rule is for what it names, and for nothing else."""
    kinds = {"iq", "message", "presence-in", "presence-out"}
    rules = "".join(
        f'<item type="jid" value="{kind}@example.org" action="deny" order="{n}"><{kind}/></item>'
        for n, kind in enumerate(sorted(kinds), 1)
    )
    rules += '<item type="subscription" value="from" action="allow" order="8"/><item type="group" value="Friends &amp; more" action="deny" order="9"/>'
    rules += '<item action="allow" order="10"/>'
    await ann.query(f'<query xmlns="jabber:iq:privacy"><list name="kinds">{rules}</list></query>', "set")
    answer = await ann.query('<query xmlns="jabber:iq:privacy"><list name="kinds"/></query>')
    items = answer.xml.findall(".//{jabber:iq:privacy}item")
    found = {item.get("value"): [child.tag.split("}")[1] for child in item] for item in items}
    expected = {f"{kind}@example.org": [kind] for kind in kinds} | {"from": [], "Friends & more": [], None: []}
    check("each rule is for what it names", found == expected, found)
    orders = [(item.get("order"), item.get("action"), item.get("type")) for item in items]
    of_kinds = [(str(n), "deny", "jid") for n in range(1, 5)]
    check("and they are in their order", orders == [*of_kinds, ("8", "allow", "subscription"), ("9", "deny", "group"), ("10", "allow", None)],
          orders)
    await ann.query('<query xmlns="jabber:iq:privacy"><list name="kinds"/></query>', "set")
    answer = str(await ann.query('<query xmlns="jabber:iq:privacy"/>'))
    check("a list that was removed is gone", '"kinds"' not in answer, answer)


FLEXIBLE = "http://jabber.org/protocol/offline"


async def one_by_one(bob):
    """Messages are listed, seen and removed one by one (XEP-0013)."""
    await register("gil")
    texts = [f"one by one {n}" for n in range(4)]
    for text in texts:
        bob.send_message(f"gil@{HOST}", text)
    await until(lambda: count_is("gil", 4), "four messages")
    gil = await Client("gil", presence=False).login()
    headers = await gil.plugin["xep_0030"].get_items(f"gil@{HOST}", FLEXIBLE)
    items = headers.xml.findall(".//{http://jabber.org/protocol/disco#items}item")
    nodes = [item.get("node") for item in items]
    senders = {item.get("name").split("/")[0] for item in items}
    check("each message is listed, with who has sent it", len(set(nodes)) == 4 and senders == {f"bob@{HOST}"}, headers)
    check("in their order", nodes == sorted(nodes), nodes)

    async def do(action, number, kind):
        await gil.query(f'<offline xmlns="{FLEXIBLE}"><item action="{action}" node="{nodes[number]}"/></offline>', kind)

    for number in (2, 0):
        await do("view", number, "get")
        message = await gil.next_message()
        check("one is seen that was asked for", message["body"] == texts[number], message)
    await do("remove", 1, "set")
    check("and one is removed", await count_is("gil", 3))
    try:
        await do("view", 1, "get")
        check("which cannot be seen then", False)
    except IqError as error:
        check("which cannot be seen then", error.condition == "item-not-found", error.condition)
    gil.send_presence()
    await gil.query(f'<offline xmlns="{FLEXIBLE}"><fetch/></offline>')
    got = [(await gil.next_message())["body"] for _ in range(3)]
    check("the others come all at once, and in their order", got == [texts[0], *texts[2:]], got)
    check("and stay until they are removed", await count_is("gil", 3))
    await gil.query(f'<offline xmlns="{FLEXIBLE}"><purge/></offline>', "set")
    check("at last all of them", await count_is("gil", 0) and names_with("/gil@") == [], names_with("/gil@"))
    await gil.logout()


async def offline(ann, bob):
    ann.send_presence(ptype="unavailable", pstatus="gone for a <walk> é")
    await ann.logout()
    texts = [f"while you were away {n}" for n in range(5)]

    async def away():
        return await seen("ann")

    last = await until(away, "ann's absence")
    check("what somebody said when he left is kept", last["status"] == "gone for a <walk> é", last)
    for text in texts:
        bob.send_message(f"ann@{HOST}", text)

    await until(lambda: count_is("ann", 5), "five messages")
    # A character that XML has no place for: the message is stored, and cannot be read again.
    await api("send_message", type="chat", to=f"ann@{HOST}", subject="", body="\u0001", **{"from": f"bob@{HOST}"})
    await until(lambda: count_is("ann", 6), "a message that nobody can read")
    ann = await Client("ann").login()
    got = [(await ann.next_message())["body"] for _ in texts]
    check("messages for who is away come in order", got == texts, got)
    left = await emptied(lambda: [name for name in names_with("/offline/") if "/ann@" in name][1:])
    check("and are removed, but for one that cannot be read", left == [] and await count_is("ann", 1), left)
    await ann.logout()
    again = await Client("ann").login()
    bob.send_message(f"ann@{HOST}", "and now")
    message = await again.next_message()
    check("and come once", message["body"] == "and now", message)
    check("and one that cannot be read stays where it is", await count_is("ann", 1))
    return again


async def too_many_for_one_answer(bob):
    """Messages of 18 MiB together, of which one answer of the program has 16 at most."""
    await register("ida")
    texts = [f"large {n} " + "x" * (3 << 20) for n in range(6)]
    for text in texts:
        await api("send_message", type="chat", to=f"ida@{HOST}", subject="", body=text, **{"from": f"bob@{HOST}"})
    await until(lambda: count_is("ida", 6), "six messages")
    ida = await Client("ida").login()
    got = [(await ida.next_message())["body"] for _ in texts]
    check("more messages than one answer may have come all the same, in their order", got == texts, [text[:8] for text in got])
    check("and once", await emptied(lambda: names_with("/ida@")) == [], names_with("/ida@"))
    await ida.logout()


async def over_or_old(bob):
    """Messages go that have expired, or that are old."""
    await register("joy")
    message = bob.make_message(f"joy@{HOST}", "soon over")
    message.append(ET.fromstring('<x xmlns="jabber:x:expire" seconds="1"/>'))
    message.send()
    bob.send_message(f"joy@{HOST}", "for ever")
    await until(lambda: len(names_with("/joy@")) == 2, "two messages")

    async def removed():
        await api("delete_expired_messages")
        return len(names_with("/joy@")) == 1

    await until(removed, "the end of one message")
    check("a message that has expired is removed, and no other", names_with("/joy@")[0].endswith("-" + 20 * "0"), names_with("/joy@"))
    await api("delete_old_messages", days=1)
    check("one of today is not old", len(names_with("/joy@")) == 1)
    await api("delete_old_messages", days=0)
    check("one that is older than it may be is removed", names_with("/joy@") == [], names_with("/joy@"))


async def count_is(user, count):
    return await api("get_offline_count", user=user, host=HOST) == {"value": count}


async def leaving(ann, bob):
    """Nothing of a person is left but what others have of him: an entry in their rosters."""
    await ann.logout()
    await until(lambda: seen("ann"), "ann's absence")
    bob.send_message(f"ann@{HOST}", "too late")
    # One that nobody can read has stayed from before.
    await until(lambda: count_is("ann", 2), "a message")
    before = names_with("ann")
    check("ann has things in the stores", len(before) > 8, before)
    await api("unregister", user="ann", host=HOST)

    remains = await left_of("ann", "bob")
    check("nothing of a person who was removed is left", remains == [], remains)
    check("nobody logs in by that name", await attempt(Client("ann")) == "refused")
    await register("ann")
    new = await Client("ann").login()
    check("a new person of the name finds nothing of the old one", new.contacts == {}, new.contacts)
    answer = await new.query('<query xmlns="jabber:iq:private"><x xmlns="a:b"/></query>')
    check("not even private data", "ü1" not in str(answer), answer)
    await new.logout()


async def scenario():
    await logins()
    ann, bob = await Client("ann").login(), await Client("bob").login()
    ann = await contacts(ann, bob)
    await version()
    await requests()
    await data(ann, bob)
    await privacy(ann, bob)
    await lists(ann)
    await one_by_one(bob)
    await over_or_old(bob)
    await too_many_for_one_answer(bob)
    ann = await offline(ann, bob)
    await leaving(ann, bob)
    await bob.logout()


main(scenario)
