%%% SPDX-License-Identifier: MIT
%%%
%%% What the tests need within the node: it ends when its standard input does, so that a test that was killed leaves no
%%% node behind, and it tells what is in Mnesia, and whether anything is still to be done.
-module(cloud_probe).
-export([start/0, process/2, die/4]).

-include("xmpp.hrl").
-include("pubsub.hrl").

start() -> spawn(fun watch/0).

watch() ->
    case io:get_line("") of
        eof -> halt(0);
        {error, _} -> halt(0);
        _ -> watch()
    end.

%% Pages of ejabberd's web server: which nodes it knows and which of them run; the end of its connection to another one;
%% and a line for each table of Mnesia, its name, its kind and its size. Two come when no process has had anything to do
%% several times in a row, within the time that an answer may take: `waiting' also if some wait for the program, `quiet' only
%% if none does. `people' and `count' ask for a part of the people, `member' whether a rule of access for a group is for
%% somebody, `private' for all private data of a person. `rule' and `whole' run a rule of pubsub. `die' kills the node when the
%% next message is about to come to somebody, and `end' the sessions of a person, so that none of their processes does anything
%% any more.
process([<<"nodes">>], _) ->
    Names = fun(Key) -> [io_lib:format(" ~s", [Node]) || Node <- lists:sort(mnesia:system_info(Key))] end,
    text(["knows", Names(db_nodes), "; runs", Names(running_db_nodes)]);
process([<<"cut">>, Node], _) ->
    text(io_lib:format("~p", [erlang:disconnect_node(binary_to_atom(Node))]));
process([<<"people">> | Options], _) ->
    text(lists:join(" ", [User || {User, _} <- ejabberd_auth:get_users(<<"localhost">>, options(Options))]));
process([<<"count">>, Prefix], _) ->
    text(integer_to_list(ejabberd_auth:count_users(<<"localhost">>, [{prefix, Prefix}])));
process([<<"member">>, User, Group], _) ->
    Rule = {shared_group, {Group, <<"localhost">>}},
    text(atom_to_list(acl:match_acl(<<"localhost">>, Rule, #{usr => {User, <<"localhost">>, <<>>}})));
process([<<"private">>, User], _) -> text(io_lib:format("~p", [mod_private:get_data(User, <<"localhost">>)]));
process([<<"rule">>, Name], _) -> text(rule(nodetree_tree_cloud:get_node(<<"pubsub.localhost">>, Name)));
process([<<"whole">>, Name], _) -> text(whole(nodetree_tree_cloud:get_node(<<"pubsub.localhost">>, Name)));
process([<<"die">>], _) -> text(io_lib:format("~p", [ejabberd_hooks:add(privacy_check_packet, <<"localhost">>, ?MODULE, die, 1)]));
process([<<"end">>, User], _) ->
    Sessions = [Session || {_, Session} <- ejabberd_sm:get_session_sids(User, <<"localhost">>)],
    [exit(Session, kill) || Session <- Sessions],
    text(io_lib:format("~b", [length(Sessions)]));
process([<<"waiting">>], _) -> text(quiet(fun busy/0));
process([<<"quiet">>], _) -> text(quiet(fun() -> busy() ++ ets:tab2list(cloud_calls) end));
process(_, _) ->
    Kind = fun(Table) -> mnesia:table_info(Table, storage_type) end,
    text([io_lib:format("~p ~p ~p~n", [Table, Kind(Table), mnesia:table_info(Table, size)])
          || Table <- mnesia:system_info(tables)]).

text(Text) -> {200, [{<<"Content-Type">>, <<"text/plain">>}], iolist_to_binary(Text)}.

options([]) -> [];
options([<<"prefix">>, Prefix | Others]) -> [{prefix, Prefix} | options(Others)];
options([Name, Number | Others]) -> [{binary_to_existing_atom(Name), binary_to_integer(Number)} | options(Others)].

quiet(Busy) -> quiet(Busy, 5, 500).

quiet(_, 0, _) -> "quiet";
quiet(Busy, _, 0) -> io_lib:format("busy: ~p", [Busy()]);
quiet(Busy, Times, Left) ->
    timer:sleep(30),
    case Busy() of
        [] -> quiet(Busy, Times - 1, Left - 1);
        _ -> quiet(Busy, 5, Left - 1)
    end.

%% mod_offline asks for each message whether it may come, after it has taken all from the store and before it routes one.
die(_, _, #message{}, in) ->
    os:cmd("kill -9 " ++ os:getpid()),
    receive never -> ok end;
die(Verdict, _, _, _) -> Verdict.

%% One that waits for a certain message may have others, and still has nothing to do.
busy() -> [P || P <- processes(), P /= self(), {status, Status} <- [process_info(P, status)], Status /= waiting].

%% A rule that makes an owner a member. When it has found for the first time that he is one, he ceases to be; and it looks at
%% all states before it writes. It tells how often it ran, and what he was when it did for the last time.
rule(#pubsub_node{id = Index, owners = [Owner | Others]} = Node) ->
    put(rounds, 0),
    Seen = cloud_pubsub:run(fun() ->
        Read = mnesia:read({pubsub_state, {Owner, Index}}),
        put(rounds, get(rounds) + 1),
        get(rounds) > 1 orelse elsewhere(fun() ->
            {result, _} = node_flat_cloud:set_affiliation(Index, Owner, none),
            ok = nodetree_tree_cloud:set_node(Node#pubsub_node{owners = Others})
        end),
        mnesia:index_read(pubsub_state, Index, #pubsub_state.nodeidx),
        mnesia:write(#pubsub_state{stateid = {Owner, Index}, nodeidx = Index, affiliation = member}),
        [Affiliation || #pubsub_state{affiliation = Affiliation} <- Read]
    end),
    io_lib:format("~b ~p", [get(rounds), Seen]).

%% A rule that has some items chosen, and reads all of them after that. It tells how many of these came with what was
%% published.
whole(#pubsub_node{id = Index, owners = [Owner | _]}) ->
    Items = cloud_pubsub:run(fun() ->
        {result, {[_ | _], _}} = node_flat_cloud:get_items(Index, jid:make(Owner), #rsm_set{max = 2}),
        mnesia:index_read(pubsub_item, Index, #pubsub_item.nodeidx)
    end),
    integer_to_list(length([Item || #pubsub_item{payload = [_ | _]} = Item <- Items])).

elsewhere(Work) ->
    {_, Monitor} = spawn_monitor(Work),
    receive {'DOWN', Monitor, process, _, Why} -> normal = Why end.
