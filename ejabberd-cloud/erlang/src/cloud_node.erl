%%% SPDX-License-Identifier: MIT
%%%
%%% A node of a cluster that keeps nothing: it finds the others, joins them with empty tables, and leaves them. Erlang is
%%% started with `-s cloud_node' before `-s ejabberd'; without it a node is alone.
%%%
%%%              empty tables                   of many, one
%%%   start ──► who is there? ──► somebody serves ──► joined ──► ejabberd starts ──► serves
%%%                │   ▲    └──► nobody does ──► begin? ─ yes ─────────▲               │  │
%%%                └───┘ no, or one of them cannot be reached                    SIGTERM  │ lost: others have taken this node
%%%                    ▲                                                          │       │ for gone, or the network was cut
%%%                    └───── ejabberd is stopped, tables are thrown away ◄───────┼───────┘
%%%                                                                              left
%%%
%%% The program `ejabberd-cloud node' knows who is there, and decides who of several begins: see src/node/mod.rs. What is joined
%%% are the tables in memory (sessions, routes, rooms), as ejabberd's own `ejabberd_cluster' joins them, but before ejabberd
%%% starts: nobody is served by a node that is about to be started again.
%%%
%%% This is an application of its own, which is started first and therefore stopped last: its end is that of the node.
-module(cloud_node).
-behaviour(application).
-behaviour(gen_server).

-export([start/0, is_ready/0]).
-export([start/2, stop/1, start_link/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-include_lib("kernel/include/logger.hrl").

-define(SUPERVISOR, cloud_node_sup).

%% The pause between two looks at who is there, until one can be joined.
-define(LOOK, 300).
%% How often the program is told who is joined, and others are called who are not.
-define(PULSE, 1000).
%% How often it is said why this node does not start.
-define(TELL, 10000).
%% How long another node may take to answer.
-define(PATIENCE, 10000).
%% How long taking leave may take.
-define(LEAVE, 15000).
%% For how many of those pulses two nodes that serve may be connected and not joined.
-define(APART, 3).
%% The pause before the program is started again.
-define(AGAIN, 1000).

%% Called by `-s cloud_node'. The commands of ejabberdctl are Erlangs of their own with the same arguments: they are hidden
%% nodes, and do not join.
-spec start() -> ok.
start() ->
    case init:get_argument(hidden) == error andalso settings() of
        false -> ok;
        {error, Why} ->
            %% ejabberd reads it again, and says what is wrong.
            ?LOG_ERROR("This node joins no other, since its configuration cannot be read: ~p", [Why]);
        {ok, Command} ->
            ok = application:load({application, ?MODULE, [{vsn, "1"}, {applications, [kernel, stdlib]},
                                                          {registered, [?MODULE, ?SUPERVISOR]},
                                                          {mod, {?MODULE, Command}}]}),
            ok = application:start(?MODULE, permanent),
            clean(),
            join()
    end.

%% Whether this node serves, so that others can join it.
-spec is_ready() -> boolean().
is_ready() ->
    lists:keymember(ejabberd, 1, application:which_applications()) andalso mnesia:system_info(is_running) == yes.

%%% The settings, which are ejabberd's. It is not started yet; its configuration is loaded here and thrown away.

settings() ->
    application:load(ejabberd),
    {Pid, Monitor} = spawn_monitor(fun() -> exit({settings, load()}) end),
    receive
        {'DOWN', Monitor, process, Pid, {settings, Settings}} -> Settings;
        {'DOWN', Monitor, process, Pid, Why} -> {error, Why}
    end.

load() ->
    {ok, Applications} = application:get_key(ejabberd, included_applications),
    [application:ensure_all_started(Name) || Name <- Applications, not lists:member(Name, [mnesia, lager, os_mon])],
    case ejabberd_config:load() of
        ok -> {ok, mod_cloud:node_command(cloud:host())};
        Error -> Error
    end.

%%% Joining

join() -> join(erlang:monotonic_time(millisecond)).

join(Said) ->
    Others = gen_server:call(?MODULE, there, infinity),
    case [Node || Node <- others(Others), rpc:call(Node, ?MODULE, is_ready, [], ?PATIENCE) == true] of
        [Peer | _] ->
            case merge(Peer) of
                ok ->
                    ?LOG_NOTICE("This node has joined ~p", [Peer]),
                    ok;
                {error, Why} ->
                    ?LOG_ERROR("This node cannot join ~p, and tries again: ~p", [Peer, Why]),
                    clean(),
                    timer:sleep(?LOOK),
                    join(Said)
            end;
        [] ->
            Reached = [Node || Node <- others(Others), lists:member(Node, nodes())],
            case Others /= unknown andalso gen_server:call(?MODULE, {'begin', Reached}, infinity) of
                true -> ?LOG_NOTICE("This node begins the cluster", []);
                false ->
                    timer:sleep(?LOOK),
                    join(say(Said, Others, Reached))
            end
    end.

others(unknown) -> [];
others(Others) -> Others.

%% Why a node does not start is said from time to time: a cookie or a port may be wrong.
say(Said, Others, Reached) ->
    Now = erlang:monotonic_time(millisecond),
    case Now - Said > ?TELL of
        false -> Said;
        true when Others == unknown ->
            ?LOG_WARNING("This node waits until it knows which others are there", []),
            Now;
        true ->
            ?LOG_WARNING("This node waits for another one to serve; there are ~p, and these cannot be reached: ~p",
                         [Others, Others -- Reached]),
            Now
    end.

%% Copies of all tables of a node that serves. What it still has of an earlier life of this one is removed first.
merge(Peer) ->
    rpc:call(Peer, mnesia, del_table_copy, [schema, node()], ?PATIENCE),
    ok = application:start(mnesia, permanent),
    case mnesia:change_config(extra_db_nodes, [Peer]) of
        {ok, [_ | _]} ->
            %% ejabberd has a few tables on disk, with nothing in them that matters.
            mnesia:change_table_copy_type(schema, node(), disc_copies),
            Copied = [mnesia:add_table_copy(Table, node(), rpc:call(Peer, mnesia, table_info, [Table, storage_type]))
                      || Table <- mnesia:system_info(tables), Table /= schema],
            case [Why || {aborted, Why} <- Copied, element(1, Why) /= already_exists] of
                [] -> mnesia:wait_for_tables(mnesia:system_info(local_tables), ?PATIENCE);
                [Why | _] -> {error, Why}
            end;
        {ok, []} -> {error, not_reached};
        Error -> Error
    end.

%% Nothing of an earlier life is to be found by the next one.
clean() ->
    application:stop(mnesia),
    application:unset_env(mnesia, extra_db_nodes),
    mnesia:delete_schema([node()]).

%% Takes this node out of the cluster and into it again.
again() ->
    application:stop(ejabberd),
    clean(),
    join(),
    {ok, _} = ejabberd:start(),
    ok.

%%% The application

start(_Type, _Command) -> supervisor:start_link({local, ?SUPERVISOR}, ?MODULE, supervisor).

stop(_State) -> ok.

start_link() ->
    {ok, {?MODULE, Command}} = application:get_key(?MODULE, mod),
    gen_server:start_link({local, ?MODULE}, ?MODULE, Command, []).

%%% The owner of the program

init(supervisor) ->
    Child = #{id => ?MODULE, start => {?MODULE, start_link, []}, shutdown => ?LEAVE + 5000},
    {ok, {#{strategy => one_for_one, intensity => 10, period => 60}, [Child]}};
init(Command) ->
    process_flag(trap_exit, true),
    {ok, _} = timer:send_interval(?PULSE, pulse),
    {ok, open(#{command => Command, port => none, there => unknown, asking => [], told => none,
                work => none, is_lost => false, apart => #{}})}.

open(#{command := {Program, Arguments}} = State) ->
    try open_port({spawn_executable, Program}, [{args, Arguments}, {packet, 4}, binary, exit_status, use_stdio]) of
        Port -> State#{port := Port}
    catch error:Why ->
            ?LOG_ERROR("The program ~ts cannot be started: ~p", [Program, Why]),
            later(State)
    end.

%% What a new program has not been told, it has to be told.
later(#{asking := Asking} = State) ->
    erlang:send_after(?AGAIN, self(), open),
    [gen_server:reply(From, false) || From <- Asking],
    State#{port := none, asking := [], told := none}.

handle_call(there, _, #{there := There} = State) -> {reply, There, State};
handle_call({'begin', _}, _, #{port := none} = State) -> {reply, false, State};
handle_call({'begin', Reached}, From, #{asking := Asking} = State) ->
    tell({'begin', names(Reached)}, State),
    {noreply, State#{asking := Asking ++ [From]}}.

handle_cast(_, State) -> {noreply, State}.

handle_info({Port, {data, Bytes}}, #{port := Port} = State) ->
    {noreply, heard(binary_to_term(Bytes), State)};
handle_info({Port, {exit_status, Status}}, #{port := Port} = State) ->
    ?LOG_ERROR("The program for this node ended with status ~p; it is started again", [Status]),
    {noreply, State};
handle_info({'EXIT', Port, _}, #{port := Port} = State) ->
    {noreply, later(State)};
handle_info(open, #{port := none} = State) ->
    {noreply, open(State)};
handle_info(pulse, State) ->
    {noreply, call_others(look_apart(tell_joined(join_again(State))))};
handle_info({removed, _, _} = Message, State) ->
    tell(Message, State),
    {noreply, State};
handle_info({apart, Node}, State) ->
    ?LOG_WARNING("The network was cut between this node and ~p: this one joins again", [Node]),
    {noreply, join_again(State#{is_lost := true})};
handle_info({'EXIT', Worker, Why}, #{work := Worker} = State) ->
    Why == normal orelse ?LOG_ERROR("This node could not be started again: ~p", [Why]),
    %% A node that serves nothing, and does not know why, is worth less than one that ends and is started anew.
    Why == normal orelse init:stop(1),
    {noreply, State#{work := none}};
handle_info(_, State) -> {noreply, State}.

heard({there, Names}, State) ->
    %% Names of nodes are few, and come from our own stores.
    State#{there := [binary_to_atom(Name) || Name <- Names]};
heard({'begin', Yes}, #{asking := [From | Asking]} = State) ->
    gen_server:reply(From, Yes),
    State#{asking := Asking};
heard({remove, Name}, State) ->
    Owner = self(),
    spawn(fun() -> remove(Owner, Name) end),
    State;
heard({lost}, State) ->
    ?LOG_WARNING("Others have taken this node for gone: it joins again", []),
    join_again(State#{is_lost := true});
heard(_, State) -> State.

%% One that is about to start is left alone until it has.
join_again(#{work := none, is_lost := true} = State) ->
    case is_ready() of
        true -> State#{work := spawn_link(fun again/0), is_lost := false};
        false -> State
    end;
join_again(State) -> State.

%% One that is joined is not removed, whatever the program believes.
remove(Owner, Name) ->
    Node = binary_to_atom(Name),
    Removed = case is_ready() andalso lists:member(Node, mnesia:system_info(db_nodes)) of
                  true -> mnesia:del_table_copy(schema, Node);
                  false -> {atomic, ok}
              end,
    Done = is_ready() andalso Removed == {atomic, ok},
    Done orelse ?LOG_WARNING("The node ~ts cannot be removed yet: ~p", [Name, Removed]),
    Owner ! {removed, Name, Done}.

%% Those who are joined to this node, and those whom it knows, whenever they have changed.
tell_joined(#{told := Told, port := Port} = State) when Port /= none ->
    case joined() of
        Told -> State;
        {Running, Known} = Joined ->
            tell({running, names(Running), names(Known)}, State),
            State#{told := Joined}
    end;
tell_joined(State) -> State.

joined() ->
    case mnesia:system_info(is_running) of
        yes ->
            Running = lists:sort(mnesia:system_info(running_db_nodes) -- [node()]),
            {Running, lists:sort(mnesia:system_info(db_nodes) -- [node()])};
        _ -> {[], []}
    end.

%% Whoever is there is called: a connection that broke is made again.
call_others(#{there := There} = State) when is_list(There) ->
    [spawn(fun() -> net_kernel:connect_node(Node) end) || Node <- There -- nodes()],
    State;
call_others(State) -> State.

%% Nodes whose connection broke, and was made again without either having stopped, do not share their tables any more:
%% Mnesia does not know whose are right. Here nobody's are worth keeping, and one of the two joins again.
look_apart(#{there := There, apart := Before} = State) ->
    {Running, _} = joined(),
    Apart = case is_ready() of
                true -> [Node || Node <- others(There), lists:member(Node, nodes()), not lists:member(Node, Running)];
                false -> []
            end,
    Counts = maps:from_list([{Node, maps:get(Node, Before, 0) + 1} || Node <- Apart]),
    Owner = self(),
    [spawn(fun() -> is_mine_to_join(Node) andalso (Owner ! {apart, Node}) end)
     || {Node, Count} <- maps:to_list(Counts), Count rem ?APART == 0],
    State#{apart := Counts}.

%% Of two halves the smaller one joins again; of equal ones, that without the first name. Both serve, and each thinks so.
is_mine_to_join(Node) ->
    Mine = mnesia:system_info(running_db_nodes),
    case rpc:call(Node, mnesia, system_info, [running_db_nodes], ?PATIENCE) of
        [_ | _] = Theirs ->
            rpc:call(Node, ?MODULE, is_ready, [], ?PATIENCE) == true
                andalso not lists:member(Node, Mine)
                andalso {-length(Theirs), lists:min(Theirs)} < {-length(Mine), lists:min(Mine)};
        _ -> false
    end.

tell(_, #{port := none}) -> ok;
tell(Message, #{port := Port}) ->
    try port_command(Port, term_to_binary(Message)) catch error:badarg -> closed end.

names(Nodes) -> [atom_to_binary(Node) || Node <- Nodes].

%% The end of Erlang: ejabberd and Mnesia have been stopped before this application. Only now do the others forget this node;
%% where that fails, its lease runs out, and they do it then.
terminate(_, #{port := Port, there := There} = State) when Port /= none ->
    Left = case [Node || Node <- others(There), lists:member(Node, nodes())] of
               [Peer | _] -> rpc:call(Peer, mnesia, del_table_copy, [schema, node()], ?PATIENCE);
               [] when There == []; There == unknown -> {atomic, ok};
               [] -> not_reached
           end,
    case Left of
        {atomic, ok} ->
            tell({leave}, State),
            receive
                {Port, {exit_status, _}} -> ok
            after ?LEAVE -> ok
            end;
        _ -> ?LOG_WARNING("This node leaves without a word: ~p", [Left])
    end;
terminate(_, _) -> ok.
