%%% SPDX-License-Identifier: MIT
%%%
%%% The door from ejabberd to the program `ejabberd-cloud', which keeps the state of this server in S3 and SimpleDB.
%%%
%%% One process owns one port to the program. Each frame is 8 bytes of id and one term; answers come in any order.
%%% Callers write to the port themselves, so that a full pipe suspends just them, and wait for their answer on an alias;
%%% the owner only hands answers out.
%%%
%%% The program may end at any time. All calls under way are then answered `{error, unavailable}', and it is started
%%% again after 100 ms, then after twice as long each time, up to 5 s, until an answer has come. The owner itself must
%%% not end with it: its supervisor would give up, and take ejabberd down.
-module(cloud).
-behaviour(gen_server).

-export([start/0, start_link/0, reload/0, call/1, ask/1, ask/2, done/1, is_within/1]).
-export([bare/2, bare/1, xml/1, unxml/1, usec/1, timestamp/1, host/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-include_lib("kernel/include/logger.hrl").

%% Calls that wait for an answer: {Id, Alias}.
-define(CALLS, cloud_calls).
%% The port, or `down', and how many milliseconds a call waits.
-define(DOOR, cloud_door).

-define(FIRST_PAUSE, 100).
-define(LONGEST_PAUSE, 5000).
%% How often the program is asked for a sign of life.
-define(PULSE, 5000).
%% The id of that question. Those of calls are positive.
-define(PULSE_ID, 0).

-type reason() :: conflict | exists | notfound | too_large | unavailable | timeout | invalid.

%%% What the shims call

%% Starts the owner, if it does not run yet. Every backend calls this when it starts, since none knows which is first.
-spec start() -> ok.
start() ->
    Spec = #{id => ?MODULE, start => {?MODULE, start_link, []}},
    case supervisor:start_child(ejabberd_backend_sup, Spec) of
        {ok, _} -> ok;
        {error, {already_started, _}} -> ok;
        {error, already_present} ->
            case supervisor:restart_child(ejabberd_backend_sup, ?MODULE) of
                {ok, _} -> ok;
                {error, running} -> ok
            end
    end.

start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Starts the program anew if the settings say that it is another command now.
-spec reload() -> ok.
reload() -> gen_server:cast(?MODULE, reload).

%% Sends `{Operation, Argument...}' and waits for the answer.
-spec call(tuple()) -> {ok, term()} | {error, reason()}.
call(Request) ->
    case persistent_term:get(?DOOR, down) of
        down -> {error, unavailable};
        {Port, Timeout} -> call(Request, Port, Timeout)
    end.

call(Request, Port, Timeout) ->
    Id = erlang:unique_integer([positive]),
    Frame = [<<Id:64>>, term_to_binary(Request)],
    Alias = monitor(process, ?MODULE, [{alias, reply_demonitor}]),
    %% The table is gone if the owner is, and the port refuses if it is closed.
    try ets:insert(?CALLS, {Id, Alias}), port_command(Port, Frame) of
        true ->
            receive
                {Alias, Answer} -> binary_to_term(Answer, [safe]);
                {'DOWN', Alias, process, _, _} -> {error, unavailable}
            after Timeout ->
                    forget(Id),
                    case demonitor(Alias, [flush, info]) of
                        true -> {error, timeout};
                        false ->
                            %% The answer came in the meantime, which ended the monitor.
                            receive {Alias, Answer} -> binary_to_term(Answer, [safe]) after 0 -> {error, timeout} end
                    end
            end
    catch error:badarg ->
            forget(Id),
            demonitor(Alias, [flush]),
            {error, unavailable}
    end.

forget(Id) ->
    try ets:delete(?CALLS, Id) catch error:badarg -> true end.

%% The value of an answer. Raises `{cloud, Reason}' if there is none: what asked for it fails, and nobody takes an outage
%% for an absence.
-spec ask(tuple()) -> term().
ask(Request) -> ask(Request, []).

%% The same for callbacks which one of these functions may have run by a hook. ejabberd lets a hook's errors pass there, and
%% would tell a client that all is well. Only `exit(normal)' comes through, and the client is sent an error.
-spec ask(tuple(), [{module(), atom(), arity()}]) -> term().
ask(Request, Hooks) ->
    case call(Request) of
        {ok, Value} -> Value;
        {error, Reason} ->
            case Hooks /= [] andalso is_within(Hooks) of
                true -> exit(normal);
                false -> error({cloud, Reason})
            end
    end.

%% For callbacks that answer ok or {error, Reason}.
-spec done(tuple()) -> ok | {error, reason()}.
done(Request) ->
    case call(Request) of
        {ok, _} -> ok;
        {error, _} = Error -> Error
    end.

%% Whether one of these functions, each `{Module, Name, Arity}', is among the callers. ejabberd asks one question for
%% several ends, and what an outage has to look like depends on the end. Only for then: it takes a copy of the stack.
-spec is_within([{module(), atom(), arity()}]) -> boolean().
is_within(Functions) ->
    {backtrace, Stack} = process_info(self(), backtrace),
    Frames = [iolist_to_binary(io_lib:format("(~p:~p/~b + ", [M, F, A])) || {M, F, A} <- Functions],
    binary:match(Stack, Frames) /= nomatch.

%%% The forms of things on the wire

bare(User, Server) -> <<User/binary, $@, Server/binary>>.
bare({<<>>, Server, _}) -> Server;
bare({User, Server, _}) -> bare(User, Server).

xml(Element) -> fxml:element_to_binary(Element).

unxml(Text) ->
    case fxml_stream:parse_element(Text) of
        {error, Why} -> error({cloud, {not_xml, Why}});
        Element -> Element
    end.

%% Microseconds since 1970, from and to what erlang:timestamp/0 gives.
usec({Mega, Seconds, Micro}) -> (Mega * 1000000 + Seconds) * 1000000 + Micro.
timestamp(Usec) -> {Usec div 1000000000000, Usec div 1000000 rem 1000000, Usec rem 1000000}.

%% The host whose settings the program has: the first that has mod_cloud among its modules.
-spec host() -> {binary(), map()} | none.
host() ->
    Found = [{Host, Options} || Host <- ejabberd_option:hosts(),
                                {mod_cloud, Options, _} <- ejabberd_option:modules(Host)],
    case Found of
        [First | _] -> First;
        [] -> none
    end.

%%% The owner

init([]) ->
    process_flag(trap_exit, true),
    ets:new(?CALLS, [named_table, public, {write_concurrency, true}]),
    ets:new(cloud_rooms, [named_table, public]),
    cloud_claims:create(),
    {ok, _} = timer:send_interval(?PULSE, pulse),
    {ok, open(#{pause => ?FIRST_PAUSE, port => none, command => none, heard => 0})}.

%% mod_cloud may be started later than the first backend, so that its options are read from the configuration.
open(State) ->
    {Program, Arguments, Timeout} = Command = mod_cloud:command(host()),
    try open_port({spawn_executable, Program},
                  [{args, Arguments}, {packet, 4}, binary, exit_status, use_stdio]) of
        Port ->
            persistent_term:put(?DOOR, {Port, Timeout}),
            State#{port := Port, command := Command, heard := now_ms()}
    catch error:Why ->
            ?LOG_ERROR("The program ~ts cannot be started: ~p", [Program, Why]),
            again(State#{command := Command})
    end.

again(#{pause := Pause} = State) ->
    erlang:send_after(Pause, self(), open),
    State#{port := none, pause := min(2 * Pause, ?LONGEST_PAUSE)}.

handle_call(_, _, State) -> {reply, ok, State}.

handle_cast(reload, #{port := Port, command := Command} = State) ->
    case mod_cloud:command(host()) of
        Command -> ok;
        _ when Port == none -> ok;
        _ -> kill(Port)
    end,
    {noreply, State};
handle_cast(_, State) -> {noreply, State}.

handle_info({Port, {data, <<Id:64, Answer/binary>>}}, #{port := Port} = State) ->
    case ets:take(?CALLS, Id) of
        [{_, Alias}] -> Alias ! {Alias, Answer};
        [] -> too_late
    end,
    {noreply, State#{pause := ?FIRST_PAUSE, heard := now_ms()}};
handle_info({Port, {exit_status, Status}}, #{port := Port, pause := Pause} = State) ->
    ?LOG_ERROR("The program for the cloud ended with status ~p; it is started again in ~p ms", [Status, Pause]),
    persistent_term:put(?DOOR, down),
    {noreply, State};
handle_info({'EXIT', Port, _}, #{port := Port} = State) ->
    %% Only from here on does the port refuse what is written to it, so that no call can come after this.
    persistent_term:put(?DOOR, down),
    Unavailable = term_to_binary({error, unavailable}),
    [Alias ! {Alias, Unavailable} || {Id, _} <- ets:tab2list(?CALLS), {_, Alias} <- ets:take(?CALLS, Id)],
    {noreply, again(State)};
handle_info(open, #{port := none} = State) ->
    {noreply, open(State)};
handle_info(pulse, #{port := Port, command := {_, _, Timeout}, heard := Heard} = State) when Port /= none ->
    %% A program that lives answers its calls, and this one, within the time that a call waits. One that does not is
    %% stuck, and so are those who write to it.
    case now_ms() - Heard > Timeout + 2 * ?PULSE of
        true ->
            ?LOG_ERROR("The program for the cloud is stuck, and is killed", []),
            kill(Port);
        false ->
            try port_command(Port, [<<?PULSE_ID:64>>, term_to_binary({ping})], [nosuspend])
            catch error:badarg -> closed
            end
    end,
    {noreply, State};
handle_info(_, State) -> {noreply, State}.

terminate(_, _) ->
    persistent_term:put(?DOOR, down),
    ok.

%% Closing the port would leave a stuck program behind. Its end comes as any other does.
kill(Port) ->
    case erlang:port_info(Port, os_pid) of
        {os_pid, Pid} -> os:cmd("kill -9 " ++ integer_to_list(Pid));
        undefined -> gone
    end.

now_ms() -> erlang:monotonic_time(millisecond).
