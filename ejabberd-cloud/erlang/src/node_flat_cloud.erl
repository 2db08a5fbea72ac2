%%% SPDX-License-Identifier: MIT
%%%
%%% Nodes of pubsub without an order among them, `plugins: [flat]' with `db_type: cloud'. The rules are those of node_flat,
%%% which run on what the cloud has.
-module(node_flat_cloud).
-behaviour(gen_pubsub_node).

-export([init/3, terminate/2, options/0, features/0, create_node_permission/6, create_node/2, delete_node/1]).
-export([subscribe_node/8, unsubscribe_node/4, publish_item/7, delete_item/4, purge_node/2]).
-export([remove_extra_items/2, remove_extra_items/3, remove_expired_items/2]).
-export([get_entity_affiliations/2, get_node_affiliations/1, get_affiliation/2, set_affiliation/3]).
-export([get_entity_subscriptions/2, get_node_subscriptions/1, get_subscriptions/2, set_subscriptions/4]).
-export([get_pending_nodes/2, get_states/1, get_state/2, set_state/1]).
-export([get_items/7, get_items/3, get_last_items/3, get_only_item/2, get_item/7, get_item/2, set_item/1]).
-export([get_item_name/3, node_to_path/1, path_to_node/1]).

-include("pubsub.hrl").

-define(RUN(Call), cloud_pubsub:run(fun() -> node_flat:Call end)).

init(_Host, _ServerHost, _Options) -> cloud:start().
terminate(_Host, _ServerHost) -> ok.
options() -> node_flat:options().
features() -> node_flat:features().
create_node_permission(Host, ServerHost, Node, Parent, Owner, Access) ->
    node_flat:create_node_permission(Host, ServerHost, Node, Parent, Owner, Access).

create_node(Node, Owner) ->
    JID = jid:tolower(jid:remove_resource(Owner)),
    cloud_pubsub:run_new(Node, JID, fun() -> node_flat:create_node(Node, Owner) end).

%% The records of the nodes are gone by now, and with them whatever could reach their items and states. What is left is
%% removed later, by a process of its own.
delete_node(Nodes) ->
    Told = [{Node, told(Index)} || #pubsub_node{id = Index} = Node <- Nodes],
    spawn(fun() -> [cloud:call({pubsub_clean, Index}) || #pubsub_node{id = Index} <- Nodes] end),
    {result, {default, broadcast, Told}}.

told(Index) ->
    case cloud_pubsub:run_states(fun() -> node_flat:get_states(Index) end) of
        {result, States} ->
            [{JID, Subscription} || #pubsub_state{stateid = {JID, _}, subscriptions = All} <- States, Subscription <- All];
        {error, _} -> []
    end.

subscribe_node(Node, Sender, Subscriber, Access, SendLast, Presence, Roster, Options) ->
    ?RUN(subscribe_node(Node, Sender, Subscriber, Access, SendLast, Presence, Roster, Options)).
unsubscribe_node(Node, Sender, Subscriber, SubId) -> ?RUN(unsubscribe_node(Node, Sender, Subscriber, SubId)).
publish_item(Node, Publisher, Model, Max, Id, Payload, Options) ->
    ?RUN(publish_item(Node, Publisher, Model, Max, Id, Payload, Options)).
delete_item(Node, Publisher, Model, Id) -> ?RUN(delete_item(Node, Publisher, Model, Id)).
purge_node(Node, Owner) -> ?RUN(purge_node(Node, Owner)).
remove_extra_items(Node, Max) -> ?RUN(remove_extra_items(Node, Max)).
remove_extra_items(Node, Max, Ids) -> ?RUN(remove_extra_items(Node, Max, Ids)).
remove_expired_items(Node, Seconds) -> ?RUN(remove_expired_items(Node, Seconds)).

get_entity_affiliations(Host, Owner) -> ?RUN(get_entity_affiliations(Host, Owner)).
get_node_affiliations(Node) -> cloud_pubsub:run_states(fun() -> node_flat:get_node_affiliations(Node) end).
get_affiliation(Node, Owner) -> ?RUN(get_affiliation(Node, Owner)).
set_affiliation(Node, Owner, Affiliation) -> ?RUN(set_affiliation(Node, Owner, Affiliation)).
get_entity_subscriptions(Host, Owner) -> ?RUN(get_entity_subscriptions(Host, Owner)).
get_node_subscriptions(Node) -> cloud_pubsub:run_states(fun() -> node_flat:get_node_subscriptions(Node) end).
get_subscriptions(Node, Owner) -> ?RUN(get_subscriptions(Node, Owner)).
set_subscriptions(Node, Owner, Subscription, SubId) -> ?RUN(set_subscriptions(Node, Owner, Subscription, SubId)).

get_pending_nodes(Host, Owner) -> {result, cloud_pubsub:pending(mod_pubsub:tree(Host), jid:tolower(Owner))}.
get_states(Node) -> ?RUN(get_states(Node)).
get_state(Node, JID) -> ?RUN(get_state(Node, JID)).
set_state(State) -> ?RUN(set_state(State)).

get_items(Node, JID, Access, Presence, Roster, SubId, Page) ->
    cloud_pubsub:run_items(fun() -> node_flat:get_items(Node, JID, Access, Presence, Roster, SubId, Page) end).
get_items(Node, From, Page) -> cloud_pubsub:run_items(fun() -> node_flat:get_items(Node, From, Page) end).
get_last_items(Node, _From, Count) -> cloud_pubsub:last(Node, Count).
get_only_item(Node, _From) -> cloud_pubsub:last(Node, 1).
get_item(Node, Id, JID, Access, Presence, Roster, SubId) ->
    ?RUN(get_item(Node, Id, JID, Access, Presence, Roster, SubId)).
get_item(Node, Id) -> ?RUN(get_item(Node, Id)).
set_item(Item) -> ?RUN(set_item(Item)).
get_item_name(Host, Node, Id) -> node_flat:get_item_name(Host, Node, Id).
node_to_path(Node) -> node_flat:node_to_path(Node).
path_to_node(Path) -> node_flat:path_to_node(Path).
