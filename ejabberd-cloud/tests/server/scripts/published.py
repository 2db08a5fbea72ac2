"""What is published, by people and to a service: nodes, items, subscriptions, and who may do what."""

import asyncio

from checks import HOST, PATIENCE, Client, api, ask, check, left_of, main, names_with, register, until
from slixmpp.exceptions import IqError
from slixmpp.xmlstream import ET

SERVICE = f"pubsub.{HOST}"


def payload(text, name="n"):
    element = ET.Element(f"{{urn:x}}{name}")
    element.text = text
    return element


def ids_in(event):
    """The names of the items in an event."""
    return [item.get("id") for item in event.xml.iter("{http://jabber.org/protocol/pubsub#event}item")]


async def set_to(owner, node, **values):
    """Sets a node of the service to something."""
    form = (await owner.get_node_config(SERVICE, node))["pubsub_owner"]["configure"]["form"]
    form["type"] = "submit"
    form.set_values(form.get_values() | {f"pubsub#{name}": value for name, value in values.items()})
    await owner.set_node_config(SERVICE, node, form)


async def personal(gus, hal):
    gus.send_presence_subscription(f"hal@{HOST}")

    async def both():
        return (await gus.fetch_contacts()).get(f"hal@{HOST}", {}).get("subscription") == "both"

    await until(both, "a subscription both ways")
    await hal.want("urn:x:mood")
    pubsub = gus.plugin["xep_0060"]
    # What hal's client wants is asked for once, and known some time after.
    told = None
    for n in range(30):
        await pubsub.publish(f"gus@{HOST}", "urn:x:mood", id="current", payload=payload(f"happy {n}"))
        try:
            told = await asyncio.wait_for(hal.events.get(), 2)
            break
        except asyncio.TimeoutError:
            pass
    check("a contact is told what somebody publishes of himself", told and "happy" in str(told), told)
    await pubsub.publish(f"gus@{HOST}", "urn:x:mood", id="current", payload=payload("calm"))
    await hal.next_event_with("calm")
    check("and told again", True)
    items = await hal.plugin["xep_0060"].get_items(f"gus@{HOST}", "urn:x:mood")
    found = [item["id"] for item in items["pubsub"]["items"]]
    check("it is one item", found == ["current"] and "calm" in str(items), items)
    await pubsub.retract(f"gus@{HOST}", "urn:x:mood", "current")
    items = await hal.plugin["xep_0060"].get_items(f"gus@{HOST}", "urn:x:mood")
    check("until it is taken back", list(items["pubsub"]["items"]) == [], items)
    await pubsub.publish(f"gus@{HOST}", "urn:x:mood", id="current", payload=payload("again"))
    other = await Client("hal", "other").login()
    await other.want("urn:x:mood")
    event = await other.next_event_with("again")
    check("who comes is told what was published last", ids_in(event) == ["current"], event)
    await other.logout()
    return gus


async def service(gus, hal):
    owner, reader = gus.plugin["xep_0060"], hal.plugin["xep_0060"]
    await owner.create_node(SERVICE, "news")
    try:
        await reader.create_node(SERVICE, "news")
        check("a node that is there is not made again", False)
    except IqError as error:
        check("a node that is there is not made again", error.condition == "conflict", error.condition)
    await reader.subscribe(SERVICE, "news")
    for n in range(3):
        await owner.publish(SERVICE, "news", id=f"i/{n}", payload=payload(f"news {n}"))
        await hal.next_event_with(f"news {n}")
    check("who has subscribed is told of each item", True)
    items = await reader.get_items(SERVICE, "news")
    found = [item["id"] for item in items["pubsub"]["items"]]
    check("items are in the order in which they came", found == ["i/0", "i/1", "i/2"], found)
    await owner.publish(SERVICE, "news", id="i/1", payload=payload("better news"))
    await hal.next_event_with("better news")
    items = await reader.get_items(SERVICE, "news")
    check("an item that is published again is one item", str(items).count("<item ") == 3 and "better news" in str(items), items)
    await owner.retract(SERVICE, "news", "i/0", notify=True)
    items = await reader.get_items(SERVICE, "news")
    check("an item that is taken back is gone", "i/0" not in str(items), items)
    try:
        await reader.publish(SERVICE, "news", id="mine", payload=payload("not mine"))
        check("a reader may not publish", False)
    except IqError as error:
        check("a reader may not publish", error.condition == "forbidden", error.condition)
    await owner.modify_affiliations(SERVICE, "news", [(f"hal@{HOST}", "publisher")])
    await reader.publish(SERVICE, "news", id="mine", payload=payload("mine"))
    check("until he is made a publisher", True)
    answer = str(await owner.get_node_affiliations(SERVICE, "news"))
    check("affiliations are kept", 'affiliation="publisher"' in answer and 'affiliation="owner"' in answer, answer)
    answer = str(await owner.get_node_subscriptions(SERVICE, "news"))
    check("subscriptions are kept", f"hal@{HOST}" in answer, answer)
    await set_to(owner, "news", title="All the news")
    answer = str(await owner.get_node_config(SERVICE, "news"))
    check("what a node is set to is kept", "All the news" in answer, answer)
    await reader.unsubscribe(SERVICE, "news")
    answer = str(await owner.get_node_subscriptions(SERVICE, "news"))
    check("who unsubscribes is no subscriber", f"hal@{HOST}" not in answer, answer)
    await reader.subscribe(SERVICE, "news")


async def of_one_person(gus, hal):
    """What somebody is, and has subscribed, is told for each node, and for the one that he asks about."""
    owner, reader = gus.plugin["xep_0060"], hal.plugin["xep_0060"]
    await owner.create_node(SERVICE, "more")
    await reader.subscribe(SERVICE, "more")
    await owner.modify_affiliations(SERVICE, "more", [(f"hal@{HOST}", "member")])

    def nodes(answer, what):
        return {(item.get("node"), item.get(what)) for item in answer.xml.iter() if item.get(what)}

    answer = await reader.get_affiliations(SERVICE)
    check("affiliations are told for each node", nodes(answer, "affiliation") == {("news", "publisher"), ("more", "member")}, answer)
    answer = await reader.get_subscriptions(SERVICE)
    check("and subscriptions", nodes(answer, "subscription") == {("news", "subscribed"), ("more", "subscribed")}, answer)
    answer = await reader.get_subscriptions(SERVICE, "more")
    check("also those of one node", nodes(answer, "subscription") == {(None, "subscribed")}, answer)
    await owner.delete_node(SERVICE, "more")
    answer = await reader.get_subscriptions(SERVICE)
    check("but for one that is gone", nodes(answer, "subscription") == {("news", "subscribed")}, answer)


async def those_who_wait(gus, hal):
    """Who owns a node where somebody waits for his consent is told which."""
    owner, reader = gus.plugin["xep_0060"], hal.plugin["xep_0060"]
    await owner.create_node(SERVICE, "closed")
    await set_to(owner, "closed", access_model="authorize")
    command = '<command xmlns="http://jabber.org/protocol/commands" node="http://jabber.org/protocol/pubsub#get-pending" action="execute"/>'

    async def pending(client):
        answer = await client.query(command, "set", SERVICE)
        return [value.text for value in answer.xml.iterfind(".//{jabber:x:data}option/{jabber:x:data}value")]

    check("nobody waits at first", await pending(gus) == [])
    answer = str(await reader.subscribe(SERVICE, "closed"))
    check("who has to be let in waits", 'subscription="pending"' in answer, answer)
    nodes = await pending(gus)
    check("the owner is told where somebody waits", nodes == ["closed"], nodes)
    nodes = await pending(hal)
    check("and nobody else", nodes == [], nodes)
    await owner.modify_subscriptions(SERVICE, "closed", [(f"hal@{HOST}", "subscribed")])
    nodes = await pending(gus)
    check("until he has decided", nodes == [], nodes)
    await owner.delete_node(SERVICE, "closed")


async def listed(gus, hal):
    """What there is at the service, and what a node has, up to the most that is listed, which is four nodes here."""
    owner, lists = gus.plugin["xep_0060"], hal.plugin["xep_0030"]

    async def there(node=None):
        answer = await lists.get_items(SERVICE, node)
        return sorted((item[1] or "", item[2] or "") for item in answer["disco_items"]["items"])

    shelves = [f"shelf {n}" for n in range(3)]
    for shelf in shelves:
        await owner.create_node(SERVICE, shelf)
    found = await there()
    check("the nodes of a service are listed", [node for node, _ in found] == ["news", *shelves], found)
    for id_ in ("one", "two"):
        await owner.publish(SERVICE, shelves[0], id=id_, payload=payload(id_))
    found = await there(shelves[0])
    check("a node has its items and no nodes", found == [("", "one"), ("", "two")], found)
    await owner.create_node(SERVICE, "shelf 3")
    found = await there()
    check("no more are listed than may be", len(found) == 4, found)
    for shelf in (*shelves, "shelf 3"):
        await owner.delete_node(SERVICE, shelf)


async def without_their_publisher(gus, hal):
    """Items stay when who has published them is nobody at the node any more, and its owner removes them."""
    owner, writer = gus.plugin["xep_0060"], hal.plugin["xep_0060"]
    await owner.create_node(SERVICE, "left")
    await owner.modify_affiliations(SERVICE, "left", [(f"hal@{HOST}", "publisher")])
    for id_ in ("a", "b"):
        await writer.publish(SERVICE, "left", id=id_, payload=payload(id_))
    await owner.publish(SERVICE, "left", id="c", payload=payload("c"))
    await owner.modify_affiliations(SERVICE, "left", [(f"hal@{HOST}", "none")])

    async def items():
        answer = await owner.get_items(SERVICE, "left")
        return [item["id"] for item in answer["pubsub"]["items"]]

    check("items of somebody who is nobody any more stay", await items() == ["a", "b", "c"], await items())
    await owner.retract(SERVICE, "left", "a")
    check("the owner takes one of them back", await items() == ["b", "c"], await items())
    await owner.purge(SERVICE, "left")
    check("and removes all of them", await items() == [], await items())
    await owner.delete_node(SERVICE, "left")


async def decided_again(gus, hal):
    """A decision that was based on what is no more is made again: here, that of an owner who is about to be none."""
    await gus.plugin["xep_0060"].create_node(SERVICE, "ours")
    # The owner that was added last is the first.
    await gus.plugin["xep_0060"].modify_affiliations(SERVICE, "ours", [(f"hal@{HOST}", "owner")])
    seen = await asyncio.to_thread(ask, "probe rule/ours")
    check("a decision is made again when what it was based on is no more", seen == "2 []", seen)
    await gus.plugin["xep_0060"].delete_node(SERVICE, "ours")


async def pages(gus, hal):
    """A client that wants a part of the items gets it (XEP-0059), or so many of the last ones."""
    owner, reader = gus.plugin["xep_0060"], hal.plugin["xep_0060"]
    await owner.create_node(SERVICE, "long")
    for n in range(7):
        await owner.publish(SERVICE, "long", id=f"l{n}", payload=payload(f"long {n}"))

    def ids(answer):
        return [item["id"] for item in answer["pubsub"]["items"]]

    async def page(inner):
        rsm = f'<set xmlns="http://jabber.org/protocol/rsm">{inner}</set>'
        query = f'<pubsub xmlns="http://jabber.org/protocol/pubsub"><items node="long"/>{rsm}</pubsub>'
        answer = await hal.query(query, to=SERVICE)
        told = {element.tag.split("}")[1]: element.text for element in answer.xml.iter() if "rsm}" in element.tag}
        index = [element.get("index") for element in answer.xml.iter() if "rsm}first" in element.tag]
        return ids(answer), told, index

    first, told, index = await page("<max>3</max>")
    check("the first page has the oldest items", first == ["l0", "l1", "l2"] and index == ["0"], (first, told, index))
    check("and tells how many there are", told["count"] == "7", told)
    second, told, index = await page(f"<max>3</max><after>{told['last']}</after>")
    check("the next one those that follow", second == ["l3", "l4", "l5"] and index == ["3"], (second, told, index))
    back, _, index = await page(f"<max>2</max><before>{told['first']}</before>")
    check("a page goes back from an item", back == ["l1", "l2"] and index == ["1"], (back, index))
    last, _, index = await page("<max>2</max><before/>")
    check("the last page has the newest items", last == ["l5", "l6"] and index == ["5"], (last, index))
    middle, _, index = await page("<max>2</max><index>4</index>")
    check("a page begins at a number", middle == ["l4", "l5"] and index == ["4"], (middle, index))
    none, told, _ = await page("<max>0</max>")
    check("no items are the number of items", none == [] and told["count"] == "7", (none, told))
    newest = ids(await reader.get_items(SERVICE, "long", max_items="2"))
    check("so many of the last items", newest == ["l5", "l6"], newest)
    chosen = ids(await reader.get_items(SERVICE, "long", item_ids=["l1", "l4"]))
    check("items by their names", chosen == ["l1", "l4"], chosen)
    everything = ids(await reader.get_items(SERVICE, "long"))
    check("and all of them", everything == [f"l{n}" for n in range(7)], everything)
    whole = await asyncio.to_thread(ask, "probe whole/long")
    check("items that a rule reads after it has chosen some are whole", whole == "7", whole)
    await reader.subscribe(SERVICE, "long")
    event = await hal.next_event_with("long 6")
    check("who subscribes is sent the last item, and no other", ids_in(event) == ["l6"], event)
    await owner.delete_node(SERVICE, "long")


async def too_many_for_one_answer(gus, hal):
    """Items of 17 MB together, of which one answer of the program has 16 MiB at most."""
    owner = gus.plugin["xep_0060"]
    await owner.create_node(SERVICE, "large")
    await set_to(owner, "large", max_items="100")
    ids = [f"l{n:02}" for n in range(70)]
    for id_ in ids:
        await owner.publish(SERVICE, "large", id=id_, payload=payload("x" * 245_000))
    items = await hal.plugin["xep_0060"].get_items(SERVICE, "large", timeout=PATIENCE)
    found = [item["id"] for item in items["pubsub"]["items"]]
    check("more items than one answer may have come all the same", found == ids, found)
    await owner.delete_node(SERVICE, "large")


async def many_at_once(gus, hal):
    owner = gus.plugin["xep_0060"]
    writes = [owner.publish(SERVICE, "news", id=f"p{n}", payload=payload(f"at once {n}")) for n in range(20)]
    refused = [answer for answer in await asyncio.gather(*writes, return_exceptions=True) if isinstance(answer, Exception)]
    check("twenty items at once are all taken", refused == [], refused)
    items = await hal.plugin["xep_0060"].get_items(SERVICE, "news")
    found = {item["id"] for item in items["pubsub"]["items"]}
    missing = {f"p{n}" for n in range(20)} - found
    check("and are all there, but for those over the limit of the node", len(found) == 10 or not missing, found)


async def outage(gus, hal):
    ask("outage")
    for what in ("publish", "read"):
        try:
            if what == "publish":
                await gus.plugin["xep_0060"].publish(SERVICE, "news", id="lost", payload=payload("lost"), timeout=60)
            else:
                await hal.plugin["xep_0060"].get_items(SERVICE, "news", timeout=60)
            check(f"during an outage a {what} is an error", False)
        except IqError as error:
            check(f"during an outage a {what} is an error", error.condition == "internal-server-error", error.condition)
    ask("mend")
    items = await hal.plugin["xep_0060"].get_items(SERVICE, "news")
    check("what was there is there afterwards", "<item " in str(items) and "lost" not in str(items), items)


async def ends(gus, hal):
    owner = gus.plugin["xep_0060"]
    await owner.delete_node(SERVICE, "news")
    try:
        await hal.plugin["xep_0060"].get_items(SERVICE, "news")
        check("a node that was removed is gone", False)
    except IqError as error:
        check("a node that was removed is gone", error.condition == "item-not-found", error.condition)
    await owner.create_node(SERVICE, "news")
    items = await owner.get_items(SERVICE, "news")
    check("a new one of its name has nothing of it", list(items["pubsub"]["items"]) == [], items)
    answer = str(await owner.get_node_subscriptions(SERVICE, "news"))
    check("not even its subscribers", f"hal@{HOST}" not in answer, answer)
    await hal.plugin["xep_0060"].create_node(SERVICE, "hal's")
    await owner.subscribe(SERVICE, "hal's")
    await gus.logout()
    before = names_with("gus")
    check("gus has things in the stores", len(before) > 3, before)
    await api("unregister", user="gus", host=HOST)

    remains = await left_of("gus", "hal")
    check("nothing that a person who was removed has published is left", remains == [], remains)


async def scenario():
    await register("gus", "hal")
    gus, hal = await Client("gus").login(), await Client("hal").login()
    gus = await personal(gus, hal)
    await service(gus, hal)
    await of_one_person(gus, hal)
    await those_who_wait(gus, hal)
    await listed(gus, hal)
    await without_their_publisher(gus, hal)
    await decided_again(gus, hal)
    await pages(gus, hal)
    await too_many_for_one_answer(gus, hal)
    await many_at_once(gus, hal)
    await outage(gus, hal)
    await ends(gus, hal)
    await hal.logout()


main(scenario)
