%%% SPDX-License-Identifier: MIT
%%%
%%% Pubsub by ejabberd's own rules, on what the cloud has.
%%%
%%% The rules (node_flat, node_pep) read and write records of Mnesia. They run here inside a Mnesia activity whose access
%%% module is this one, so that their reads and writes come here. What is read is fetched once and remembered with what the
%%% store said of it; what is written waits until the rule is done. Then all of it goes out together, on condition that what
%%% was read is still so; if it is not, the rule runs again.
%%%
%%% A state has no list of items here, as it has in Mnesia: the list of a node's items tells who has published each, and
%%% the lists of the states are made of it.
-module(cloud_pubsub).

-export([run/1, run_new/3, run_states/1, run_items/1, last/2, pending/2, has_read/1]).
%% The access module.
-export([lock/4, read/5, write/5, delete/5, delete_object/5, match_object/5, index_read/6, table_info/4]).

-include("xmpp.hrl").
-include("pubsub.hrl").

%% The activity that this process is in, a map:
%%   states  #{{JID, Node} => {Before, Affiliation, Subscriptions}}, Before being what the store said, for a commit
%%   seen    #{{JID, Node} => true}: what a rule has asked for by name
%%   items   #{Node => [{Id, Creator, Keys, Created}]}, the newest first; or none, where nobody wants to know
%%   later   true, if there: what items have is read once the rule has chosen some
%%   creators #{BareJID => Creator}: how the list of items names who has published
%%   loaded  #{{Node, BareJID | all | items} => true}
%%   writes  #{Node => #{{state, JID} | {item, Id} => Change}}
%%   failed  Reason: the store could not be asked. The rules catch errors, and would go on as if nothing were there.
-define(ACTIVITY, '$cloud_pubsub').
%% The node that this process has read last: {Node, Owners, when}.
-define(NODE, '$cloud_pubsub_node').
%% For how many milliseconds that counts.
-define(JUST_NOW, 5000).
%% How often a rule runs at most.
-define(ROUNDS, 10).

%% mod_pubsub reads a node to decide about it, and asks for its states next: its owners need not be read again for them.
has_read(#pubsub_node{id = Node, owners = Owners}) ->
    put(?NODE, {Node, [cloud:bare(Owner) || Owner <- Owners], now_ms()}),
    ok.

owners(Node) ->
    case get(?NODE) of
        {Node, Owners, At} -> case now_ms() - At < ?JUST_NOW of true -> Owners; false -> none end;
        _ -> none
    end.

now_ms() -> erlang:monotonic_time(millisecond).

run(Rule) ->
    case get(?ACTIVITY) of
        undefined -> run(Rule, #{}, ?ROUNDS);
        _ -> Rule()
    end.

%% For a node that was just made: nobody has a state there.
run_new(Node, JID, Rule) ->
    Text = jid:encode(JID),
    run(Rule, #{{JID, Node} => {{Text, <<"none">>, [], <<"-">>}, none, []}}, ?ROUNDS).

%% For a rule that reads the states of a node and not what they have published: the list of items is not asked for.
run_states(Rule) ->
    case get(?ACTIVITY) of
        undefined -> run(Rule, #{}, none, ?ROUNDS);
        _ -> Rule()
    end.

%% For a rule that chooses items by when they were published first: only those that it chooses are read. Another rule may go
%% on after it, for which items are whole again.
run_items(Rule) ->
    run(fun() ->
                put(?ACTIVITY, (get(?ACTIVITY))#{later => true}),
                Chosen = Rule(),
                put(?ACTIVITY, maps:remove(later, get(?ACTIVITY))),
                case Chosen of
                    {result, {Items, Page}} -> {result, {read_items(Items), Page}};
                    {error, _} = Error -> Error
                end
        end).

run(Rule, States, Rounds) -> run(Rule, States, #{}, Rounds).

run(_, _, _, 0) -> {error, conflict};
run(Rule, States, Items, Rounds) ->
    put(?ACTIVITY, #{states => States, seen => #{}, items => Items, creators => #{}, loaded => #{}, writes => #{}}),
    Done =
        try {mnesia:activity(async_dirty, Rule, [], ?MODULE), get(?ACTIVITY)} of
            {_, #{failed := Reason}} -> {error, Reason};
            {{error, _} = Error, _} -> {refused, Error};
            {Result, Activity} ->
                case commit(Activity) of
                    ok -> {done, Result};
                    {error, _} = Error -> Error
                end
        catch throw:{cloud, Reason} -> {error, Reason}
        after erase(?ACTIVITY)
        end,
    case Done of
        {done, Value} -> Value;
        {refused, Value} -> Value;
        {error, conflict} ->
            %% Its owners may be others by now.
            erase(?NODE),
            run(Rule, States, Items, Rounds - 1);
        {error, _} -> Done
    end.

%% One call for each node; a rule writes to one.
commit(#{writes := Writes} = Activity) -> commit(maps:to_list(Writes), Activity).

commit([], _) -> ok;
commit([{Node, Changes} | Nodes], #{states := States, seen := Seen} = Activity) ->
    List = maps:to_list(Changes),
    Written = [{Before, text(Affiliation), subscriptions(Subscriptions)}
               || {{state, JID}, written} <- List,
                  {Before, Affiliation, Subscriptions} <- [maps:get({JID, Node}, States)]],
    Read = [element(1, maps:get(Id, States)) || {JID, N} = Id <- maps:keys(Seen), N == Node,
                                                not is_map_key({state, JID}, Changes), is_map_key(Id, States)],
    Puts = [{Item, Keys} || {{item, _}, {put, Item, Keys}} <- List],
    Removed = [Keys || {{item, _}, {remove, Keys}} <- List],
    case cloud:done({pubsub_commit, Node, Read, Written, Puts, Removed}) of
        ok -> commit(Nodes, Activity);
        {error, _} = Error -> Error
    end.

%%% The access module: what the rules' calls of Mnesia become

lock(_, _, _, _) -> ok.
table_info(_, _, Table, What) -> mnesia:table_info(Table, What).

read(_, _, pubsub_state, {JID, Node} = Id, _) ->
    load(Node, JID),
    #{seen := Seen} = Activity = get(?ACTIVITY),
    put(?ACTIVITY, Activity#{seen := Seen#{Id => true}}),
    state(Id);
read(_, _, pubsub_item, {Id, Node}, _) ->
    case lists:keyfind(Id, 1, items(Node)) of
        {_, _, Keys, _} when Keys /= none ->
            case ask({pubsub_item, Node, Keys}) of
                none -> [];
                Item -> [item(Node, Item)]
            end;
        _ -> []
    end;
read(_, _, pubsub_orphan, Node, _) ->
    %% Items of those who have no state at the node any more.
    Owned = [creator(JID) || #pubsub_state{stateid = {JID, _}} <- all_states(Node)],
    case [Id || {Id, Creator, _, _} <- items(Node), not lists:member(Creator, Owned)] of
        [] -> [];
        Ids -> [#pubsub_orphan{nodeid = Node, items = Ids}]
    end.

%% The items of a state are not written: publishing an item puts it into the list.
write(_, _, pubsub_state, #pubsub_state{stateid = {JID, Node}, affiliation = Affiliation, subscriptions = Subscriptions}, _) ->
    change_state(JID, Node, Affiliation, Subscriptions);
write(_, _, pubsub_item, #pubsub_item{itemid = {Id, Node}, creation = {Created, Creator}, modification = {Modified, Modifier},
                                      payload = Payload}, _) ->
    Keys = case lists:keyfind(Id, 1, items(Node)) of
               {_, _, Known, _} -> Known;
               false -> none
           end,
    Item = {Id, cloud:usec(Created), jid:encode(Creator), cloud:usec(Modified), jid:encode(Modifier),
            iolist_to_binary([cloud:xml(Element) || Element <- Payload])},
    change(Node, {item, Id}, {put, Item, Keys});
write(_, _, pubsub_orphan, _, _) -> ok.

delete(_, _, pubsub_state, {JID, Node}, _) ->
    change_state(JID, Node, none, []);
delete(_, _, pubsub_item, {Id, Node}, _) ->
    case lists:keytake(Id, 1, items(Node)) of
        {value, {_, _, Keys, _}, Others} ->
            #{items := Items} = Activity = get(?ACTIVITY),
            put(?ACTIVITY, Activity#{items := Items#{Node => Others}}),
            change(Node, {item, Id}, {remove, Keys});
        false -> ok
    end;
delete(_, _, pubsub_orphan, _, _) -> ok.

delete_object(_, _, _, _, _) -> ok.

index_read(_, _, pubsub_state, Node, _, _) -> all_states(Node);
index_read(_, _, pubsub_item, Node, _, _) ->
    Items = [#pubsub_item{itemid = {Id, Node}, nodeidx = Node, creation = {cloud:timestamp(Created), Keys}}
             || {Id, _, Keys, Created} <- lists:reverse(items(Node))],
    case get(?ACTIVITY) of
        #{later := true} -> Items;
        _ -> read_items(Items)
    end.

%% These items of one node, of which the list has told when they were made, and by which keys they are found.
read_items([]) -> [];
read_items([#pubsub_item{nodeidx = Node} | _] = Items) ->
    read_items(Node, [Keys || #pubsub_item{creation = {_, Keys}} <- Items]).

read_items(_, []) -> [];
read_items(Node, Wanted) ->
    {Found, Next} = ask({pubsub_some, Node, Wanted}),
    [item(Node, Item) || Item <- Found] ++ read_items(Node, Next).

%% All states of a person, or of one of his JIDs, as the pattern says.
match_object(_, _, pubsub_state, #pubsub_state{stateid = {{User, Server, _}, _}} = Pattern, _) ->
    Found = [#pubsub_state{stateid = {jid:tolower(jid:decode(Text)), Node}, nodeidx = Node,
                           affiliation = affiliation(Affiliation), subscriptions = from_store(Subscriptions)}
             || {Node, {Text, Affiliation, Subscriptions, _}} <- ask({pubsub_states_of, cloud:bare({User, Server, <<>>})})],
    ets:match_spec_run(Found, ets:match_spec_compile([{Pattern, [], ['$_']}])).

%%% Beyond the rules' reach: they would look at everything

%% The items that were published last.
last(Node, Count) when is_integer(Count), Count > 0 ->
    case cloud:call({pubsub_last, Node, Count}) of
        {ok, Items} -> {result, [item(Node, Item) || Item <- Items]};
        {error, Reason} -> {error, Reason}
    end;
last(_, _) -> {result, []}.

%% The names of the nodes of an owner where somebody waits for his consent.
pending(Tree, Owner) ->
    Owned = [Node || {Node, {_, <<"owner">>, _, _}} <- cloud:ask({pubsub_states_of, cloud:bare(Owner)})],
    Waits = fun({_, {_, _, Subscriptions, _}}) -> lists:keymember(<<"pending">>, 1, Subscriptions) end,
    [Name || Node <- Owned, lists:any(Waits, cloud:ask({pubsub_states, Node, none})),
             #pubsub_node{nodeid = {_, Name}} <- [Tree:get_node(Node)]].

%%% What an activity knows

%% What the store says. A failure ends the activity, even if the rule takes it for nothing.
ask(Request) ->
    case cloud:call(Request) of
        {ok, Value} -> Value;
        {error, Reason} ->
            put(?ACTIVITY, (get(?ACTIVITY))#{failed => Reason}),
            throw({cloud, Reason})
    end.

is_loaded(Node, What) ->
    #{loaded := Loaded} = get(?ACTIVITY),
    is_map_key({Node, What}, Loaded).

%% A person's states at a node, and the node's list of items: what most rules go by. One call.
load(Node, {User, Server, _} = JID) ->
    Bare = {User, Server, <<>>},
    #{states := States} = get(?ACTIVITY),
    case is_map_key({JID, Node}, States) orelse is_loaded(Node, Bare) orelse is_loaded(Node, all) of
        true -> ok;
        false ->
            {Creator, Found, Items} = ask({pubsub_load, Node, owners(Node), cloud:bare(Bare)}),
            remember(Node, Bare, [{Creator, State} || State <- Found], Items),
            know(Bare, Creator)
    end.

all_states(Node) ->
    is_loaded(Node, all) orelse remember(Node, all, ask({pubsub_states, Node, owners(Node)}), none),
    #{states := States} = get(?ACTIVITY),
    lists:append([state(Id) || {_, N} = Id <- maps:keys(States), N == Node]).

items(Node) ->
    case get(?ACTIVITY) of
        #{items := none} -> [];
        #{items := #{Node := Items}} -> Items;
        _ ->
            remember(Node, items, [], ask({pubsub_items, Node})),
            items(Node)
    end.

%% What was read or written before stays as it was.
remember(Node, What, Found, Items) ->
    #{states := States, items := Lists, loaded := Loaded} = Activity = get(?ACTIVITY),
    New = maps:from_list([{{jid:tolower(jid:decode(Text)), Node}, {Before, affiliation(Affiliation), from_store(Subscriptions)}}
                          || {_, {Text, Affiliation, Subscriptions, _} = Before} <- Found]),
    NewLists = case Items of
                   _ when Items == none; Lists == none -> Lists;
                   _ -> maps:merge(#{Node => Items}, Lists)
               end,
    put(?ACTIVITY, Activity#{states := maps:merge(New, States), items := NewLists, loaded := Loaded#{{Node, What} => true}}),
    [know(jid:tolower(jid:remove_resource(jid:decode(Text))), Creator) || {Creator, {Text, _, _, _}} <- Found],
    ok.

know(JID, Creator) ->
    #{creators := Creators} = Activity = get(?ACTIVITY),
    put(?ACTIVITY, Activity#{creators := Creators#{cloud:bare(JID) => Creator}}).

creator({_, _, <<>>} = JID) ->
    #{creators := Creators} = get(?ACTIVITY),
    maps:get(cloud:bare(JID), Creators, none);
creator(_) -> none.

%% The record that a rule sees, if it says anything.
state({JID, Node} = Id) ->
    #{states := States} = get(?ACTIVITY),
    {_, Affiliation, Subscriptions} = maps:get(Id, States, {absent, none, []}),
    Items = case creator(JID) of
                none -> [];
                Creator -> [Item || {Item, By, _, _} <- items(Node), By == Creator]
            end,
    case {Affiliation, Subscriptions, Items} of
        {none, [], []} -> [];
        _ -> [#pubsub_state{stateid = Id, nodeidx = Node, items = Items, affiliation = Affiliation,
                            subscriptions = Subscriptions}]
    end.

change_state(JID, Node, Affiliation, Subscriptions) ->
    load(Node, JID),
    #{states := States} = Activity = get(?ACTIVITY),
    Id = {JID, Node},
    Absent = {{jid:encode(JID), <<"none">>, [], <<"-">>}, none, []},
    case maps:get(Id, States, Absent) of
        {_, Affiliation, Subscriptions} -> ok;
        {Before, _, _} ->
            put(?ACTIVITY, Activity#{states := States#{Id => {Before, Affiliation, Subscriptions}}}),
            change(Node, {state, JID}, written)
    end.

change(Node, What, Change) ->
    #{writes := Writes} = Activity = get(?ACTIVITY),
    Changes = maps:get(Node, Writes, #{}),
    put(?ACTIVITY, Activity#{writes := Writes#{Node => Changes#{What => Change}}}),
    ok.

%%% Forms

item(Node, {Id, Created, Creator, Modified, Modifier, Payload}) ->
    #xmlel{children = Elements} = cloud:unxml(<<"<x>", Payload/binary, "</x>">>),
    #pubsub_item{itemid = {Id, Node}, nodeidx = Node,
                 creation = {cloud:timestamp(Created), jid:tolower(jid:decode(Creator))},
                 modification = {cloud:timestamp(Modified), jid:tolower(jid:decode(Modifier))},
                 payload = Elements}.

subscriptions(Subscriptions) -> [{text(State), Id} || {State, Id} <- Subscriptions].
from_store(Subscriptions) -> [{binary_to_existing_atom(State), Id} || {State, Id} <- Subscriptions].

%% The names of XEP-0060.
text(publish_only) -> <<"publish-only">>;
text(Name) -> atom_to_binary(Name).

affiliation(<<"publish-only">>) -> publish_only;
affiliation(Name) -> binary_to_existing_atom(Name).
