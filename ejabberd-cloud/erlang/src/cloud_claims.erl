%%% SPDX-License-Identifier: MIT
%%%
%%% Which of the messages that wait in the store a session of this node is delivering.
%%%
%%% *Problem:* A message stays in the store until it is known to have been received, and whoever logs in meanwhile with another
%%% client would be given it again. *Decision:* A message is claimed by the process that delivers it, and by that which removes
%%% it. It counts as waiting again when that process has ended, so that one that was killed needs no clearing up. A removed one
%%% stays claimed for a while, since others may have read it before. *Cost:* Other nodes know nothing of this: who logs in at
%%% two nodes at the same time can get a message twice.
-module(cloud_claims).

-export([create/0, take/1, is_given/1, hold/3, held/1, under_way/1, give_back/2, removed/1]).
-export_type([key/0, stage/0]).

%% {Key, Process, Stage}, or {Key, removed, Second}. A person's are beside each other. One more says when was swept.
-define(CLAIMS, cloud_claims).
%% For how many seconds one that was removed stays claimed: longer than it takes to read what waits.
-define(MEMORY, 300).
%% For how many seconds at least what counts no more is left.
-define(SWEEP, 30).

-type key() :: {{User :: binary(), Server :: binary()}, Id :: term()}.
%% Given to ejabberd to be delivered; written to a client; about to be removed.
-type stage() :: given | written | removing.

create() -> ets:new(?CLAIMS, [named_table, public, ordered_set]).

%% Claims a message for this process, unless somebody has it.
-spec take(key()) -> boolean().
take(Key) ->
    case ets:insert_new(?CLAIMS, {Key, self(), given}) of
        true -> true;
        false ->
            [ets:delete_object(?CLAIMS, Claim) || Claim <- ets:lookup(?CLAIMS, Key), not is_held(Claim)],
            %% Somebody else may have been faster.
            ets:insert_new(?CLAIMS, {Key, self(), given})
    end.

%% Whether this process has claimed the message, and has not seen it written yet.
-spec is_given(key()) -> boolean().
is_given(Key) -> ets:lookup(?CLAIMS, Key) == [{Key, self(), given}].

%% Claims messages for a process, whoever had them.
-spec hold([key()], pid(), stage()) -> true.
hold(Keys, Process, Stage) -> ets:insert(?CLAIMS, [{Key, Process, Stage} || Key <- Keys]).

%% A person's messages that are not to be delivered now.
-spec held({binary(), binary()}) -> [Id :: term()].
held(Person) -> [Id || {{_, Id}, _, _} = Claim <- of_person(Person), is_held(Claim)].

%% How many of a person's are on their way, and so do not wait.
-spec under_way({binary(), binary()}) -> non_neg_integer().
under_way(Person) -> length([1 || {_, Process, _} = Claim <- of_person(Person), is_pid(Process), is_held(Claim)]).

of_person(Person) -> ets:match_object(?CLAIMS, {{Person, '_'}, '_', '_'}).

is_held({_, removed, Second}) -> Second > now_s() - ?MEMORY;
is_held({_, Process, _}) -> is_process_alive(Process).

%% Messages that this process has claimed, and in this stage if one is named, wait again.
-spec give_back([key()], stage() | '_') -> ok.
give_back(Keys, Stage) -> lists:foreach(fun(Key) -> ets:match_delete(?CLAIMS, {Key, self(), Stage}) end, Keys).

%% They are no longer in the store.
-spec removed([key()]) -> ok.
removed(Keys) ->
    Now = now_s(),
    ets:insert(?CLAIMS, [{Key, removed, Now} || Key <- Keys]),
    sweep(Now).

%% Forgets what counts no more. That looks at all claims, so it is not done each time.
sweep(Now) ->
    case ets:lookup(?CLAIMS, swept) of
        [{swept, swept, Last}] when Now - Last < ?SWEEP -> ok;
        _ ->
            ets:insert(?CLAIMS, {swept, swept, Now}),
            Forget = fun({swept, _, _}, Done) -> Done;
                        (Claim, Done) ->
                             is_held(Claim) orelse ets:delete_object(?CLAIMS, Claim),
                             Done
                     end,
            ets:foldl(Forget, ok, ?CLAIMS)
    end.

now_s() -> erlang:monotonic_time(second).
