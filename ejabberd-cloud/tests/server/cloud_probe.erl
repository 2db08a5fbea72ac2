%%% SPDX-License-Identifier: MIT
%%%
%%% What the tests need within the node: it ends when its standard input does, so that a test that was killed leaves no
%%% node behind, and it tells what is in Mnesia.
-module(cloud_probe).
-export([start/0, process/2]).

start() -> spawn(fun watch/0).

watch() ->
    case io:get_line("") of
        eof -> halt(0);
        {error, _} -> halt(0);
        _ -> watch()
    end.

%% Pages of ejabberd's web server: which nodes it knows and which of them run; the end of its connection to another one;
%% and a line for each table of Mnesia, its name, its kind and its size.
process([<<"nodes">>], _) ->
    Names = fun(Key) -> [io_lib:format(" ~s", [Node]) || Node <- lists:sort(mnesia:system_info(Key))] end,
    text(["knows", Names(db_nodes), "; runs", Names(running_db_nodes)]);
process([<<"cut">>, Node], _) ->
    text(io_lib:format("~p", [erlang:disconnect_node(binary_to_atom(Node))]));
process(_, _) ->
    Kind = fun(Table) -> mnesia:table_info(Table, storage_type) end,
    text([io_lib:format("~p ~p ~p~n", [Table, Kind(Table), mnesia:table_info(Table, size)])
          || Table <- mnesia:system_info(tables)]).

text(Text) -> {200, [{<<"Content-Type">>, <<"text/plain">>}], iolist_to_binary(Text)}.
