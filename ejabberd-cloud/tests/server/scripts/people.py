"""Everything that people have: they log in, have contacts, write to each other, and leave."""

import asyncio

from checks import HOST, Client, api, attempt, check, left_of, main, names_with, register, until
from slixmpp.exceptions import IqError


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
    last = await until(lambda: seen("ann"), "last activity")
    check("last activity is kept", "status" in last and last["timestamp"] > "2000", last)


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
    answer = str(await bob.query(form.format("nobody"), "set", f"vjud.{HOST}"))
    check("who is not there is not found", f"@{HOST}<" not in answer, answer)


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


async def offline(ann, bob):
    await ann.logout()
    texts = [f"while you were away {n}" for n in range(5)]

    async def away():
        return await seen("ann")

    await until(away, "ann's absence")
    for text in texts:
        bob.send_message(f"ann@{HOST}", text)

    await until(lambda: count_is("ann", 5), "five messages")
    # A character that XML has no place for: the message is stored, and cannot be read again.
    await api("send_message", type="chat", to=f"ann@{HOST}", subject="", body="\u0001", **{"from": f"bob@{HOST}"})
    await until(lambda: count_is("ann", 6), "a message that nobody can read")
    ann = await Client("ann").login()
    got = [(await ann.next_message())["body"] for _ in texts]
    check("messages for who is away come in order", got == texts, got)
    await until(lambda: count_is("ann", 1), "the end of all that could be read")
    await ann.logout()
    again = await Client("ann").login()
    bob.send_message(f"ann@{HOST}", "and now")
    message = await again.next_message()
    check("and come once", message["body"] == "and now", message)
    check("and one that cannot be read stays where it is", await count_is("ann", 1))
    return again


async def count_is(user, count):
    return await api("get_offline_count", user=user, host=HOST) == {"value": count}


async def leaving(ann, bob):
    """Nothing of a person is left but what others have of him: an entry in their rosters."""
    await ann.logout()
    await until(lambda: seen("ann"), "ann's absence")
    bob.send_message(f"ann@{HOST}", "too late")
    await until(lambda: count_is("ann", 1), "a message")
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
    await data(ann, bob)
    await privacy(ann, bob)
    ann = await offline(ann, bob)
    await leaving(ann, bob)
    await bob.logout()


main(scenario)
